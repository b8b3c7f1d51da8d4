#!/bin/bash
# start.sh VFS: makes the guest a node with SR-IOV rails. Port N is called railN, its virtual function M railNvM with
# MAC 02:00:00:00:0N:0M and an RDMA device mlx5_K, counted from 0 over all ports, below it as on real hardware.
set -euo pipefail
vfs=$1 rdma=0
modprobe -a igb igbvf ib_uverbs rdma_ucm rdma_rxe veth
rdma system set netns exclusive

ports=()
for device in /sys/bus/pci/drivers/igb/0000:*; do
  [ -e "$device" ] || break
  port=rail${#ports[@]}
  ports+=("$port")
  old=$(ls "$device/net")
  ip link set "$old" down
  ip link set "$old" name "$port"
  ip link set "$port" up
  # The driver of the functions reads their MACs when it takes them, so they come first.
  echo 0 >"$device/sriov_drivers_autoprobe"
  echo "$vfs" >"$device/sriov_numvfs"
  echo 1 >"$device/sriov_drivers_autoprobe"
  for ((vf = 0; vf < vfs; vf++)); do
    ip link set "$port" vf $vf mac "02:00:00:00:0${port#rail}:0$vf"
    address=$(readlink "$device/virtfn$vf")
    echo "${address##*/}" >/sys/bus/pci/drivers/igbvf/bind
    old=$(ls "$device/virtfn$vf/net")
    ip link set "$old" name "${port}v$vf"
    rdma link add mlx5_$rdma type rxe netdev "${port}v$vf"
    rdma=$((rdma + 1))
  done
done

# Rates are refused, and nothing is carried, before the ports have a link; enabling functions takes it away again.
for port in "${ports[@]}"; do
  waited=0
  until [ "$(cat "/sys/class/net/$port/carrier")" = 1 ]; do
    waited=$((waited + 1))
    [ $waited -lt 100 ] || { echo "$port has no link after 10 s" >&2; exit 1; }
    sleep 0.1
  done
done

#!/bin/bash
# start.sh VFS [PORT]: makes the guest a node with SR-IOV rails, or one port of it again. Port N is called railN, its virtual
# function M railNvM with MAC 02:00:00:NN:0N:0M (NN is NODE_NUMBER, two digits, default 00) and an RDMA device mlx5_K below it, as on real hardware; K counts
# over all ports.
set -euo pipefail
vfs=$1

enable() { # PORT
  local port=$1 number=${1#rail} device=/sys/class/net/$1/device vf address name
  # The driver of the functions reads their MACs when it takes them, so they come first.
  echo 0 >"$device/sriov_drivers_autoprobe"
  echo "$vfs" >"$device/sriov_numvfs"
  echo 1 >"$device/sriov_drivers_autoprobe"
  for ((vf = 0; vf < vfs; vf++)); do
    ip link set "$port" vf $vf mac "02:00:00:${NODE_NUMBER:-00}:0$number:0$vf"
    address=$(readlink "$device/virtfn$vf")
    echo "${address##*/}" >/sys/bus/pci/drivers/igbvf/bind
    name=$(ls "$device/virtfn$vf/net")
    ip link set "$name" name "${port}v$vf"
    rdma link add "mlx5_$((number * vfs + vf))" type rxe netdev "${port}v$vf"
  done
}

# Rates are refused, and nothing is carried, before a port has a link; enabling functions takes it away for 3 s.
await_link() { # PORT
  local waited=0
  until [ "$(cat "/sys/class/net/$1/carrier")" = 1 ]; do
    waited=$((waited + 1))
    [ $waited -lt 100 ] || { echo "$1 has no link after 10 s" >&2; exit 1; }
    sleep 0.1
  done
}

if [ $# -gt 1 ]; then
  enable "$2"
  await_link "$2"
  exit
fi
modprobe -a igb igbvf ib_uverbs rdma_ucm rdma_rxe veth
rdma system set netns exclusive
ports=()
for device in /sys/bus/pci/drivers/igb/0000:*; do
  [ -e "$device" ] || break
  port=rail${#ports[@]}
  ports+=("$port")
  name=$(ls "$device/net")
  ip link set "$name" name "$port"
  ip link set "$port" mtu 9000 up
  enable "$port"
done
for port in "${ports[@]}"; do await_link "$port"; done

#!/bin/bash
# node.sh NODE ADDRESS SERVER-PORT KUBELET-PORT POD-CIDR NUMBER VFS: makes the guest a node of the cluster whose API server
# listens on that port of the host, and serves the tests until the guest ends. /host has the node's credentials; programs
# that a test wants to run come as /host/ask/N.sh, and N.out and N.status answer them.
set -euo pipefail
node=$1 address=$2 server=$3 port=$4 pods=$5 number=$6 vfs=$7
# Goroutines are not preempted by signals: containerd's shim, on one emulated processor, at times spun and did not see a
# container end.
export PATH=/share/bin:$PATH GOGC=300 GODEBUG=asyncpreemptoff=1
said() { echo "[$(cut -d ' ' -f 1 /proc/uptime)] $*"; }

network() {
  hostname "$node"
  echo "127.0.0.1 localhost $node" >/etc/hosts
  local device
  modprobe virtio_net
  device=$(basename /sys/bus/virtio/drivers/virtio_net/virtio*/net/*)
  ip link set "$device" name mgmt0
  ip address add "$address/24" dev mgmt0
  ip link set mgmt0 up
  modprobe -a overlay br_netfilter veth nf_tables nft_ct
  sysctl -qw net.ipv4.ip_forward=1 vm.overcommit_memory=1 kernel.panic=10 kernel.panic_on_oops=1
  # Instead of kube-proxy: the API server under its Service address. Others lead nowhere, least of all out of the guest.
  ip address add 10.96.0.1/32 dev lo
  ip route add unreachable 10.96.0.0/16
}

configuration() {
  mkdir -p /etc/kubernetes /etc/cni/net.d /etc/containerd /var/run/cdi
  cp /host/{ca.crt,kubelet.crt,kubelet.key,*.kubeconfig} kubelet.yaml /etc/kubernetes/
  : >/etc/kubernetes/resolv.conf
  echo "port: $port" >>/etc/kubernetes/kubelet.yaml
  cat >/etc/kubernetes/default.conflist <<JSON
{"cniVersion": "1.0.0", "name": "default", "plugins": [{"type": "ptp", "ipam": {
  "type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
  cat >/etc/cni/net.d/00-multus.conf <<JSON
{"cniVersion": "1.0.0", "name": "multus-cni-network", "type": "multus",
  "kubeconfig": "/etc/kubernetes/multus.kubeconfig", "clusterNetwork": "/etc/kubernetes/default.conflist"}
JSON
  ./plugins.sh
  ln -s /share/bin/multus /usr/lib/cni/ptp /usr/lib/cni/host-local /opt/cni/bin/
}

# An RDMA device that no pod gets, with the lowest number of all: a test takes it away, so that the next device to move
# gets another number than it had.
spare() {
  modprobe -a ib_uverbs rdma_rxe veth
  ip link add spare type veth peer name spare-end
  ip link set spare up
  rdma link add spare type rxe netdev spare
}

services() {
  local n devices=()
  for n in /sys/class/net/rail?; do
    n=${n##*rail}
    devices+=("spidernet.io/gpu$((n + 1))sriov=rail$n")
  done
  ./service.sh define containerd containerd --config /share/containerd.toml
  ./service.sh define kubelet kubelet --config /etc/kubernetes/kubelet.yaml --kubeconfig \
    /etc/kubernetes/kubelet.kubeconfig --hostname-override "$node" --node-ip "$address" --v 2
  ./service.sh define devices devices "${devices[@]}"
  ./service.sh define agent env KUBECONFIG=/etc/kubernetes/agent.kubeconfig railweave agent --node "$node" \
    --admin-listen 127.0.0.1:5710
  ./service.sh define service service 10.96.0.1:443 "10.0.2.2:$server"
  for n in containerd service kubelet devices; do ./service.sh start $n; done
  # The first attempt may come before containerd listens.
  until ctr -n k8s.io image import image.tar >/dev/null 2>&1; do sleep 0.5; done
  said "containerd has the image"
}

serve() {
  local asked name
  # Nothing comes of it: to wait without a process, which would be slow under emulation.
  exec 8<> <(:)
  mkdir -p /host/ask
  while :; do
    for asked in /host/ask/*.sh; do
      [ -e "$asked" ] || continue
      name=${asked%.sh}
      mv "$asked" "$name.taken"
      { bash "$name.taken" >"$name.out" 2>&1 </dev/null && echo 0 || echo $?; } >"$name.new" && mv "$name.new" "$name.status" &
    done
    read -r -t 0.1 -u 8 || true
  done
}

network
configuration
spare
said "configured"
NODE_NUMBER=$(printf %02d "$number") ./start.sh "$vfs"
said "rails stand"
services
said "started"
serve

#!/usr/bin/env bash
# down.sh: ends the cluster of CLUSTER_NAME or CLUSTER_DIR and throws its data away. The logs stay.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ -d "$cluster/run" ] || exit 0
for component in kube-scheduler kube-controller-manager kube-apiserver etcd owner-watch; do
  [ ! -e "$cluster/run/$component.pid" ] || halt "$component" KILL
done
give_up_ports
rm -rf "$cluster"/{etcd,pki,run} "$cluster"/*.kubeconfig

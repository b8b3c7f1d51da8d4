#!/usr/bin/env bash
# credentials.sh NODE ADDRESS SERVER FOLDER: puts into FOLDER what a kubelet needs to join the cluster of CLUSTER_DIR, and
# to be asked by its API server.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$nodes_source/../cluster/pki.sh"
node=$1 address=$2 server=$3 folder=$4
certificate "$node" "/O=system:nodes/CN=system:node:$node" extendedKeyUsage=clientAuth
certificate "$node-serving" "/CN=$node" "extendedKeyUsage=serverAuth\nsubjectAltName=IP:$address,DNS:$node"
kubeconfig "$node" "$server" "$folder/kubelet.kubeconfig"
cp "$cluster/pki/ca.crt" "$folder/"
cp "$cluster/pki/$node-serving.crt" "$folder/kubelet.crt"
cp "$cluster/pki/$node-serving.key" "$folder/kubelet.key"

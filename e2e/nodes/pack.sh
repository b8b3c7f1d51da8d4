#!/usr/bin/env bash
# pack.sh FOLDER RAILWEAVE: puts there what the guests see as /share: the programs of a node, ours among them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
share=$1 railweave=$2
rm -rf "$share"
mkdir -p "$share/bin"
cp "$nodes"/bin/* "$bin/kubelet" "$share/bin/"
# Not stripped it is several times as large, and the guest reads it slowly.
strip -o "$share/bin/railweave" "$railweave"
cp "$nodes/image.tar" "$nodes_source"/guest/* "$vm_source"/guest/{start,plugins}.sh "$share/"
ticking "compiling the plugins" "$nodes_source/../cni/build.sh" >"$share/cni.log" 2>&1 || {
  cat "$share/cni.log" >&2
  die "the plugins do not compile"
}
cp "$nodes_source/../../target/cni/railweave-cni" "$share/"

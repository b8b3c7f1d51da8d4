#!/usr/bin/env bash
# build.sh: makes what a guest needs to be a node of a cluster, besides what e2e/vm and e2e/cluster make: a kubelet and
# containerd from Go modules, the stand-ins of tools/, an image for pods. Everything lies under $RAILWEAVE_CACHE/nodes; each
# is made again only when what it is made of has changed. From nothing it takes about 5 minutes.
# Exit status 77, with the reason, where it cannot be done.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -buildvcs=false"

"$vm_source/build.sh"
go_version=$(go version 2>/dev/null) || skip "no nodes: kubelet and containerd are built from Go modules, and Go is not installed"
"$here/build.sh"
"$here/build.sh" kubelet

# made NAME FILE...: has it been made of these files, with this Go?
made() {
  stamp=$({ echo "$go_version"; cat "${@:2}"; } | sha256sum | cut -d ' ' -f 1)
  [ "$(cat "$nodes/$1.stamp" 2>/dev/null)" = "$stamp" ]
}
done_with() { # NAME
  echo "$stamp" >"$nodes/$1.stamp"
  say "  nodes, $1: $((SECONDS - begun)) s"
}

containerd() {
  local begun=$SECONDS package=github.com/containerd/containerd/v2
  made containerd "$nodes_source"/containerd/go.{mod,sum} && return
  (cd "$nodes_source/containerd" && ticking containerd go build -trimpath -ldflags "-s -w" -o "$nodes/bin/" \
    $package/cmd/containerd $package/cmd/containerd-shim-runc-v2 $package/cmd/ctr)
  done_with containerd
}

stand_ins() {
  local begun=$SECONDS
  made tools "$nodes_source"/tools/go.{mod,sum} "$nodes_source"/tools/*/*.go && return
  (cd "$nodes_source/tools" && ticking "stand-ins" go build -trimpath -ldflags "-s -w" -o "$nodes/bin/" ./...)
  done_with tools
}

# One image for pods and for what holds their namespaces: a program that waits, and the folders into which pods mount those
# of the guest. So it is imported in a moment, and pods have every program of the guest.
image() {
  local begun=$SECONDS work=$nodes/image digest link
  made image "$(command -v busybox)" "$nodes_source/build.sh" && return
  rm -rf "$work"
  mkdir -p "$work"/layer/{dev,etc,proc,sys,tmp,run,usr,root}
  cp "$(command -v busybox)" "$work/layer/busybox"
  for link in bin sbin lib lib64; do ln -s "usr/$link" "$work/layer/$link"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$work/layer/etc/passwd"
  tar -C "$work/layer" --sort=name --owner=0 --group=0 --mtime=@0 -cf "$work/layer.tar" .
  digest=$(sha256sum "$work/layer.tar" | cut -d ' ' -f 1)
  cat >"$work/config.json" <<JSON
{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:$digest"]},
  "config": {"Entrypoint": ["/busybox", "sleep", "2147483647"], "Env": ["PATH=/usr/sbin:/usr/bin"]}}
JSON
  echo '[{"Config":"config.json","RepoTags":["localhost/rails:1"],"Layers":["layer.tar"]}]' >"$work/manifest.json"
  tar -C "$work" -cf "$nodes/image.tar" manifest.json config.json layer.tar
  rm -rf "$work"
  done_with image
}

mkdir -p "$nodes/bin"
# One build at a time, as in e2e/cluster.
exec 9>"$cache/build.lock"
flock -n 9 || { say "waiting for another build"; ticking "waiting for another build" flock 9; }
containerd
stand_ins
image

#!/usr/bin/env bash
# build.sh [COMPONENT...]: builds static binaries of a Kubernetes control plane (and of helm) from Go modules.
#   default: etcd kube-apiserver kube-controller-manager kube-scheduler kubectl helm; besides: kubelet
#   build.sh --fresh: builds nothing; succeeds when all of those are there and nothing they are made of has changed
# A binary is built again only when its module files, the Go version or the flags have changed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
all=(etcd kube-apiserver kube-controller-manager kube-scheduler kubectl helm)

only_look=
[ "${1:-}" != --fresh ] || { only_look=1; shift; }
[ $# -gt 0 ] || set -- "${all[@]}"
[ -f "$here/kubernetes-$minor/go.mod" ] ||
  die "no modules for Kubernetes $minor; there are: $(cd "$here" && echo kubernetes-*)"
# Without Go, binaries that are there are taken as they are.
go_version=$(go version 2>/dev/null) || go_version=
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -buildvcs=false"

# The version of a module, from the text of go.mod: quicker than the go command, and needs no download.
version_of() { awk -v m="$2" '$1 == m || ($1 == "require" && $2 == m) { print $NF == "indirect" ? $(NF - 2) : $NF; exit }' "$here/$1/go.mod"; }

# Components that are linked without a version call themselves v0.0.0-master and switch features by that.
kubernetes_version_flags() {
  local version package
  version=$(version_of "kubernetes-$minor" k8s.io/kubernetes)
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    printf ' -X %s.%s' "$package" "gitVersion=$version" "$package" gitMajor=1 "$package" "gitMinor=${minor#1.}" \
      "$package" gitCommit=from-modules "$package" gitTreeState=clean "$package" buildDate=1970-01-01T00:00:00Z
  done
}

recipe() { # COMPONENT: sets module, package, flags, target
  module=kubernetes-$minor target=$bin/$1 flags=
  case $1 in
  etcd) package=go.etcd.io/etcd/server/v3 ;;
  kube-apiserver | kube-controller-manager | kube-scheduler | kubectl | kubelet)
    package=k8s.io/kubernetes/cmd/$1 flags=$(kubernetes_version_flags) ;;
  helm)
    module=tools package=helm.sh/helm/v3/cmd/helm target=$tools/helm
    flags=" -X helm.sh/helm/v3/internal/version.version=$(version_of tools helm.sh/helm/v3)" ;;
  *) die "$1 is not a component; there are: ${all[*]} kubelet" ;;
  esac
}

fingerprint() { { cat "$here/$module"/go.{mod,sum}; echo "$go_version $package $flags"; } | sha256sum | cut -d' ' -f1; }

build() {
  local module package flags target stamp begun=$SECONDS
  recipe "$1"
  if [ -z "$go_version" ]; then
    [ -x "$target" ] || { [ -n "$only_look" ] && exit 1; die "$1 is not built yet, and Go is not installed"; }
    return 0
  fi
  stamp=$(fingerprint)
  [ ! -x "$target" ] || [ "$(cat "$target.stamp" 2>/dev/null)" != "$stamp" ] || return 0
  [ -z "$only_look" ] || exit 1
  mkdir -p "${target%/*}"
  say "building $1 from Go modules"
  (cd "$here/$module" && ticking "$1" go build -trimpath -ldflags "-s -w$flags" -o "$target" "$package")
  echo "$stamp" >"$target.stamp"
  say "  $1: $((SECONDS - begun)) s, $(($(stat -c %s "$target") / 1048576)) MiB"
}

look() { only_look=1; for component; do build "$component"; done; }
mkdir -p "$cache"
# What is fresh needs no turn.
(look "$@") && exit 0
[ -z "$only_look" ] || exit 1
# One build at a time: two would compile the same packages side by side.
exec 9>"$cache/build.lock"
flock -n 9 || { say "waiting for another build"; ticking "waiting for another build" flock 9; }
for component; do build "$component"; done

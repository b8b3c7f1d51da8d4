#!/usr/bin/env bash
# restart.sh COMPONENT [PAUSE]: ends a component (kube-apiserver, ...) in order, waits PAUSE seconds, starts it again
# with the same arguments, and returns when the API serves.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# -ge 1 ] || die "restart.sh COMPONENT [PAUSE]"
[ -f "$cluster/run/$1.command" ] || die "$1 is not part of this cluster"
halt "$1" TERM
sleep "${2:-0}"
launch "$1"
await_ready

# shellcheck shell=bash disable=SC2034 # its variables are read by the scripts that source it
# Sourced by the scripts of this folder: places, and the exit status that means "cannot be done on this machine".
vm_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$vm_source/../cluster/lib.sh"
guest=$cache/guest
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C

# What a caller counts as skipped, with the reason as the last line of the error output (automake's convention).
impossible=77
skip() { say "$*"; exit $impossible; }

# in_guest SCRIPT ARGUMENTS...: packs what was built and runs guest/SCRIPT in a guest with 8 ports.
in_guest() {
  local share=target/e2e-vm
  cd "$vm_source/../.." || return
  "$vm_source/build.sh"
  "$vm_source/pack.sh" "$share"
  "$vm_source/run.sh" -p 8 -l rails -s "$share" -o "$share/guest" -t 1800 "./$1" "${@:2}"
}

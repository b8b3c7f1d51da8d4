#!/usr/bin/env bash
# bench.sh: what attaching virtual functions costs, in a guest: times, system calls, the kernel's share, all functions at once.
#   VFS   functions of each of the 8 ports, 2 to 7 (default 7)
# Exit status 77, with the reason, where there can be no guest.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
in_guest bench.sh "${VFS:-7}"

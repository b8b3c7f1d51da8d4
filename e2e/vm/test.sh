#!/usr/bin/env bash
# test.sh [FILTER]: the tests of the CNI package that need a kernel with virtual functions and RDMA, in a guest.
#   VFS   functions of each of the 8 ports, 2 to 7 (default 2)
# Exit status 77, with the reason, where there can be no guest.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
in_guest test.sh "${VFS:-2}" "${1:-}"

#!/usr/bin/env bash
# end-with.sh PID START-TIME CLUSTER-DIR: waits until that process ends, then ends the cluster. `up.sh` starts it,
# so that a test run that is killed leaves nothing running.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
while [ "$(start_time "$1" || true)" = "$2" ]; do sleep 1; done
# Without its own note, so that down.sh does not end this script half-way.
rm -f "$3/run/owner-watch.pid"
CLUSTER_DIR=$3 exec "$here/down.sh"

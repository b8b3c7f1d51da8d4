#!/bin/bash
# bench.sh VFS: makes the guest a node and measures what attaching costs there.
set -euo pipefail
./start.sh "$1"
./plugins.sh
RAILWEAVE_MEASURE=1 ./node

#!/usr/bin/env bash
# test.sh [FILTER]: the whole chain on two guests as nodes.
#   RAILWEAVE_ROUNDS   how often pods come and go (default 20)
# Exit status 77, with the reason, where there can be no such nodes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$nodes_source/../.."
"$nodes_source/build.sh"
ticking "compiling railweave and the tests" cargo test -q --test nodes --no-run
share=$PWD/target/e2e-nodes
"$nodes_source/pack.sh" "$share" "${CARGO_TARGET_DIR:-target}/debug/railweave"
RAILWEAVE_NODES=$share cargo test --test nodes -- ${1:+"$1"}

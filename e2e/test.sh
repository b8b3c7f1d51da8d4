#!/usr/bin/env bash
# test.sh all | lint | unit | e2e [FILTER] | vm [FILTER] | nodes [FILTER]: runs the checks and ends with one line that counts them.
#   RAILWEAVE_FUZZ_SECONDS   how long each fuzz target runs (default 20)
# Output of each step is kept in target/test-logs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
logs=target/test-logs
mkdir -p "$logs"
export RAILWEAVE_FUZZ_SECONDS=${RAILWEAVE_FUZZ_SECONDS:-20} CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}
begun=$SECONDS passed=0 failed=0 skipped=0
failures=() skips=()

step() { printf '\n== %s (at %d s)\n' "$1" $((SECONDS - begun)); }
pass() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); failures+=("$1"); }
skip() { skipped=$((skipped + 1)); skips+=("$1"$'\t'"$2"); echo "skipped: $2"; }

check() { # NAME COMMAND...: one check, counted as one test
  local name=$1
  shift
  step "$name"
  if "$@" 2>&1 | tee "$logs/${name// /-}.log"; then pass; else fail "$name"; fi
}

lint() {
  check formatting cargo fmt --all --check
  check clippy cargo clippy --workspace --all-targets -- -D warnings
  if command -v shellcheck >/dev/null; then
    check "shell scripts" shellcheck -x -P SCRIPTDIR e2e/*.sh e2e/*/*.sh e2e/vm/guest/* e2e/nodes/guest/*.sh .ci/run
  else
    step "shell scripts"
    skip shellcheck "shellcheck is not installed"
  fi
  if cargo deny --version >/dev/null 2>&1; then
    check licences cargo deny check licenses bans sources
  else
    step licences
    skip cargo-deny "cargo-deny is not installed"
  fi
}

control_plane() {
  step "control plane from Go modules"
  if command -v go >/dev/null; then
    e2e/cluster/build.sh || fail "building the control plane"
  elif e2e/cluster/build.sh --fresh; then
    echo "Go is not installed; using what was built before."
  else
    echo "Go is not installed: the tests that need a control plane will be skipped."
  fi
}

count() { # LOG STATUS WHAT: adds the results that cargo test or libtest printed
  local summary p f s
  summary=$(awk '/^test result:/ {for (i = 1; i < NF; i++) {if ($(i + 1) ~ /^passed/) p += $i; if ($(i + 1) ~ /^failed/) f += $i; if ($(i + 1) ~ /^ignored/) s += $i}} END {print p + 0, f + 0, s + 0}' "$1")
  read -r p f s <<<"$summary"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  mapfile -t -O "${#failures[@]}" failures < <(sed -nE 's/^test (.*[^ ]) +\.\.\. FAILED$/\1/p' "$1")
  mapfile -t -O "${#skips[@]}" skips < <(sed -nE -e 's/ \((.*)\)$/, \1/' -e 's/^test (.*[^ ]) +\.\.\. ignored,? ?(.*)$/\1\t\2/p' "$1")
  # A test binary that does not compile, or dies, has no result line.
  [ "$2" -eq 0 ] || [ "$f" -gt 0 ] || fail "$3 (exit status $2, see $1)"
}

# A filter that names no test would end green with nothing done.
matched() { # LOG FILTER
  [ -z "$2" ] || grep -q '^test .* \.\.\. ' "$1" || fail "no test has $2 in its name"
}

rust_tests() { # ARGUMENTS of cargo test...
  local log=$logs/tests.log
  step "tests"
  cargo test --workspace --no-fail-fast "$@" 2>&1 | tee "$log"
  count "$log" $? "cargo test"
}

cni_binary() {
  if rustup target list --installed 2>/dev/null | grep -q -- "^$(uname -m)-unknown-linux-musl$"; then
    check "static CNI binary" e2e/cni/build.sh
  else
    step "static CNI binary"
    skip "static CNI binary" "the Rust target $(uname -m)-unknown-linux-musl is not installed"
  fi
}

guest_tests() { # [FILTER]
  local log=$logs/guest.log rc entry remaining=()
  step "tests in a guest with virtual functions and RDMA"
  e2e/vm/test.sh ${1:+"$1"} 2>&1 | tee "$log"
  rc=$?
  if [ $rc -eq 77 ]; then
    skip "guest" "$(tail -n 1 "$log")"
    return
  fi
  # What cargo test could not run here has run there, so it is counted once.
  for entry in "${skips[@]}"; do
    if [[ $entry == *$'\t'"it runs in the guest only"* ]]; then skipped=$((skipped - 1)); else remaining+=("$entry"); fi
  done
  skips=("${remaining[@]}")
  count "$log" $rc "the guest"
  matched "$log" "${1:-}"
}

node_tests() { # [FILTER]
  local log=$logs/nodes.log rc
  step "the whole chain on two guests as nodes"
  e2e/nodes/test.sh ${1:+"$1"} 2>&1 | tee "$log"
  rc=$?
  if [ $rc -eq 77 ]; then skip "nodes" "$(tail -n 1 "$log")"; else count "$log" $rc "the nodes"; fi
}

case ${1:-all} in
all) lint; control_plane; rust_tests; cni_binary; guest_tests ;;
lint) lint ;;
unit) RAILWEAVE_NO_CONTROL_PLANE=1 rust_tests ;;
e2e) control_plane; rust_tests --test control_plane -- ${2:+"$2"}; matched "$logs/tests.log" "${2:-}" ;;
vm) guest_tests ${2:+"$2"} ;;
nodes) node_tests ${2:+"$2"} ;;
*) echo "test.sh all | lint | unit | e2e [FILTER] | vm [FILTER] | nodes [FILTER]" >&2; exit 2 ;;
esac

printf '\n== summary (%d s)\n' $((SECONDS - begun))
# Each reason once, with how many it kept from running.
[ ${#skips[@]} -eq 0 ] || printf '%s\n' "${skips[@]}" | cut -f 2 | sort | uniq -c | sed -E 's/^ *([0-9]+) /skipped \1: /'
[ ${#failures[@]} -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "total: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]

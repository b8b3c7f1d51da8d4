#!/usr/bin/env bash
# test.sh [FILTER]: the tests of the CNI package that need a kernel with virtual functions and RDMA, in a guest.
# Exit status 77, with the reason, where there can be no guest.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
target=x86_64-unknown-linux-musl
project=$vm_source/../..
cd "$project"
"$vm_source/build.sh"

share=target/e2e-vm
mkdir -p "$share"
# Static, so that they run in the guest whatever this machine's C library is.
ticking "compiling the tests" cargo test -q -p railweave-cni --target $target --test kernel --test node --no-run \
  --message-format=json >"$share/cargo.json" || die "the tests do not compile"
for test in kernel node; do
  binary=$(sed -n "s/.*\"name\":\"$test\".*\"executable\":\"\([^\"]*\)\".*/\1/p" "$share/cargo.json" | tail -n 1)
  cp "$binary" "$share/$test"
done
cp "$vm_source"/guest/{start,test}.sh "$share/"
"$vm_source/run.sh" -p "${PORTS:-4}" -s "$share" -o "$share/guest" -t 900 ./test.sh "${VFS:-3}" "${1:-}"

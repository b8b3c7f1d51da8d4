#!/usr/bin/env bash
# pack.sh FOLDER: puts the CNI plugins, their tests and the scripts of the guest there, all static.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
share=$1
mkdir -p "$share"
target=$(uname -m)-unknown-linux-musl
ticking "compiling the plugins" "$vm_source/../cni/build.sh" >"$share/cni.log" 2>&1 || {
  cat "$share/cni.log" >&2
  die "the plugins do not compile"
}
cp target/cni/railweave-cni "$share/"
# Static, so that they run in the guest whatever this machine's C library is.
ticking "compiling the tests" cargo test -q -p railweave-cni --target "$target" --test kernel --test node --no-run \
  --message-format=json >"$share/cargo.json" || die "the tests do not compile"
for test in kernel node; do
  binary=$(sed -n "s/.*\"name\":\"$test\".*\"executable\":\"\([^\"]*\)\".*/\1/p" "$share/cargo.json" | tail -n 1)
  cp "$binary" "$share/$test"
done
cp "$vm_source"/guest/*.sh "$share/"

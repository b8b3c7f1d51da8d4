#!/usr/bin/env bash
# Builds the CNI plugins as one static binary, target/cni/railweave-cni, and checks its size and that it needs no library.
#   TARGET   default: this machine's architecture with musl
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${TARGET:-$(uname -m)-unknown-linux-musl}
most=2500000

if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
  echo "adding the Rust target $target"
  rustup target add "$target"
fi
# The paths of this machine stay out of the binary. The rest is for the time from start to exit, which is mostly page faults:
# no relocations, headers and constants beside the code. (What relro protects, a static program has none of.)
flags=(-C relocation-model=static -C relro-level=off -C "link-arg=-Wl,-z,noseparate-code"
  "--remap-path-prefix=$PWD=." "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo")
export RUSTFLAGS="${RUSTFLAGS:-} ${flags[*]}"
cargo build --profile cni --locked --target "$target" -p railweave-cni --bin railweave-cni
mkdir -p target/cni
binary=target/cni/railweave-cni
# Renamed into place: somebody may be running it.
cp "target/$target/cni/railweave-cni" "$binary.new"
mv "$binary.new" "$binary"

size=$(stat -c %s "$binary")
if readelf -d "$binary" 2>/dev/null | grep -q NEEDED || readelf -l "$binary" | grep -q INTERP; then
  echo "error: $binary needs shared libraries" >&2
  exit 1
fi
if [ "$size" -gt "$most" ]; then
  echo "error: $binary has $size bytes, more than $most" >&2
  exit 1
fi
echo "$binary: $size bytes, static"

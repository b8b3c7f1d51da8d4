#!/usr/bin/env bash
# Builds the static binaries, server and CNI plugins, and packs them as target/image/railweave.tar, an OCI image layout that
# `podman load`, `skopeo copy oci-archive:...`, `ctr image import` and containerd read. No container engine is needed. The
# image is for this machine's architecture.
#   VERSION, SOURCE_DATE_EPOCH   tag and timestamp (default: the package's version, the last commit's time)
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(uname -m)-unknown-linux-musl
VERSION=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
case $(uname -m) in
x86_64) ARCHITECTURE=amd64 ;;
aarch64) ARCHITECTURE=arm64 ;;
*) echo "error: images are made on x86_64 and aarch64, not on $(uname -m)" >&2; exit 1 ;;
esac
export VERSION SOURCE_DATE_EPOCH ARCHITECTURE

command -v musl-gcc >/dev/null || {
  echo "error: musl-gcc is needed to compile ring and mimalloc for $target: apt-get install musl-tools" >&2
  exit 1
}
command -v python3 >/dev/null || { echo "error: python3 is needed to write the image" >&2; exit 1; }
if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
  echo "adding the Rust target $target"
  rustup target add "$target"
fi

echo "building railweave $VERSION for $target with link-time optimisation; this takes 5 to 15 minutes the first time"
TARGET=$target e2e/cni/build.sh
# The paths of this machine stay out of the binary, so that two machines build the same bytes.
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
cargo build --release --locked --target "$target" --features mimalloc --bin railweave
python3 e2e/image/oci.py target/image/railweave.tar "target/$target/release/railweave" target/cni/railweave-cni

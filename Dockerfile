# For those who have a container engine; `make image` makes the same image without one.
#   docker build -t railweave .
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev gcc make
WORKDIR /src
COPY rust-toolchain.toml Cargo.toml Cargo.lock ./
COPY src src
COPY cni cni
COPY benches benches
COPY tests tests
COPY manifests manifests
COPY charts charts
COPY e2e/cni/startup.ld e2e/cni/startup.ld
RUN target="$(uname -m)-unknown-linux-musl" && \
    cargo build --release --locked --features mimalloc --target "$target" --bin railweave && \
    RUSTFLAGS="-C relocation-model=static -C relro-level=off -C link-arg=-Wl,-z,noseparate-code -C link-arg=-Wl,-T,e2e/cni/startup.ld" \
    cargo build --profile cni --locked --target "$target" -p railweave-cni --bin railweave-cni && \
    mkdir /out && cp "target/$target/release/railweave" "target/$target/cni/railweave-cni" /out/

FROM scratch
COPY --from=build /out/ /
# As in e2e/image/oci.py.
ENV MIMALLOC_PURGE_DELAY=10
USER 65532:65532
EXPOSE 5720 5722
ENTRYPOINT ["/railweave"]
CMD ["controller"]

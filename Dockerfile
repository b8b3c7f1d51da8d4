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
RUN cargo build --release --locked --features mimalloc --target x86_64-unknown-linux-musl --bin railweave

FROM scratch
COPY --from=build /src/target/x86_64-unknown-linux-musl/release/railweave /railweave
USER 65532:65532
EXPOSE 5720 5722
ENTRYPOINT ["/railweave"]
CMD ["controller"]

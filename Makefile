# Every task of the project. `make help` lists them; continuous integration calls the same ones.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## the guide end to end in one process, over real HTTPS: a plain pod becomes a pod with eight rails
	@echo "Building railweave; the first time fetches and compiles its dependencies (2 to 5 minutes)." >&2
	@cargo build --bin railweave
	@target/debug/railweave demo

.PHONY: run
run: ## serve the guide's example networks without a cluster until Ctrl-C, and print a curl line that works
	@cargo build --bin railweave
	@target/debug/railweave serve --catalog manifests/examples/injection-8-rails

.PHONY: test
test: ## everything: lint, unit, property, server and control-plane tests, the guest; a count of what was skipped, and why
	@e2e/test.sh all

.PHONY: lint
lint: ## formatting, clippy, shell scripts, licences
	@e2e/test.sh lint

.PHONY: unit
unit: ## unit, property and server tests only (no control plane)
	@e2e/test.sh unit

.PHONY: e2e
e2e: ## control-plane tests only, against real etcd and kube-apiserver; T=<part of a name> runs some of them
	@e2e/test.sh e2e $(T)

.PHONY: e2e-vm
e2e-vm: ## the CNI package in a QEMU guest with virtual functions and RDMA; T=<part of a name> runs some of them
	@e2e/test.sh vm $(T)

.PHONY: e2e-nodes
e2e-nodes: ## the whole chain on two QEMU guests as nodes, RAILWEAVE_ROUNDS times (default 20); T=<part of a name> runs some of it
	@e2e/test.sh nodes $(T)

.PHONY: e2e-tools
e2e-tools: ## build the control plane (etcd, kube-apiserver, ..., helm) from Go modules
	@e2e/cluster/build.sh

# What `make image` puts into the image.
IMAGE_PROGRAM = $(CURDIR)/target/$(shell uname -m)-unknown-linux-musl/release/railweave

.PHONY: bench
bench: ## micro-benchmarks: handler, catalog compilation, rules
	@cargo bench --features mimalloc

.PHONY: bench-load
bench-load: image ## the server under load over TLS at 1, 16 and 64 connections, beside a constant answer and a minimal Go webhook
	@RAILWEAVE_PROGRAM=$(IMAGE_PROGRAM) cargo bench --features mimalloc --bench load

.PHONY: bench-cluster
bench-cluster: image ## the program of the image on a real API server: what a pod costs, a replica of a big cluster, bursts, addresses
	@e2e/cluster/build.sh
	@MIMALLOC_PURGE_DELAY=10 RAILWEAVE_PROGRAM=$(IMAGE_PROGRAM) \
	  RAILWEAVE_MEASURE=1 cargo test --test control_plane

.PHONY: generate
generate: ## write the generated files again (CRDs, chart, command-line reference, metrics table)
	@cargo run --quiet --bin railweave -- docs >target/cli.md && mv target/cli.md docs/cli.md
	@UPDATE_GENERATED=1 cargo test --quiet --lib the_committed_page_is_the_generated_one
	@UPDATE_GENERATED=1 cargo test --quiet --test manifests committed_crds_are_what_would_be_generated
	@UPDATE_GENERATED=1 cargo test --quiet --test chart
	@git status --short docs manifests charts tests/chart

.PHONY: fuzz
fuzz: ## random reviews and manifests for FUZZ_SECONDS (default 300) each: no panic, always an answer
	@RAILWEAVE_FUZZ_SECONDS=$${FUZZ_SECONDS:-300} cargo test --test fuzz -- --nocapture

.PHONY: image
image: ## static musl binary in an OCI image, without Docker: target/image/railweave.tar
	@e2e/image/build.sh

.PHONY: cni
cni: ## the CNI plugins as one static musl binary: target/cni/railweave-cni
	@e2e/cni/build.sh

.PHONY: bench-cni
bench-cni: cni ## the CNI plugins: start to exit beside C, addresses, routes; in a guest, real functions and all of them at once
	@cargo bench --quiet -p railweave-cni --bench plugins
	@e2e/vm/bench.sh || [ $$? -eq 77 ]

# A thin menu over `cargo xtask`; what each entry does is written in xtask/src.
#
# Arguments go through ARGS, for example: make run ARGS='--http 127.0.0.1:18080'

ARGS ?=
TOOLCHAIN := $(shell sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/doorward
BUILT := $(CACHE)/target-$(TOOLCHAIN)
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help run test bench bench-cluster check gen image cluster e2e conformance compiler target
.DEFAULT_GOAL := help

help run test bench bench-cluster check gen image cluster e2e conformance: compiler target
	@cargo xtask $@ $(ARGS)

# Rust links with the C compiler, and the cryptography is compiled by it; a new machine may have none.
compiler:
	@command -v cc >/dev/null || { echo "  installing a C compiler"; set -e; \
	$(if $(filter 0,$(shell id -u)),,sudo -n) apt-get -qq update; \
	$(if $(filter 0,$(shell id -u)),,sudo -n) apt-get -qq --yes install gcc libc6-dev >/dev/null; }

# What Cargo builds lies in the cache folder, so that the next clone finds it again. A target folder or a
# CARGO_TARGET_DIR of your own is left alone. Cargo tells two clones apart by the times of their files only, so
# a clone that finds another's work has its own crates built anew (and keeps all the others).
target:
ifndef CARGO_TARGET_DIR
	@case "$$(readlink target)" in \
	"$(BUILT)") mkdir -p "$(BUILT)" ;; \
	"$(CACHE)"/target-*) rm target ;; \
	esac; \
	if [ ! -e target ]; then mkdir -p "$(BUILT)" && ln -s "$(BUILT)" target; fi
	@if [ "$$(cat target/checkout 2>/dev/null)" != "$(CURDIR)" ]; then \
	rm -rf target/*/.fingerprint/doorward-* && echo "$(CURDIR)" > target/checkout; fi
endif

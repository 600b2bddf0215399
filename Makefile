# Every target sets up what it needs first; `make help` lists them.
SHELL := /bin/bash
SWIFT ?= swift
PYTHON := .venv/bin/python
# Exclusive access is checked at run time by the debug build, with which all tests run. In the release those checks are a
# quarter of what an event of a stream costs in instructions, most of them in libraries, which a package cannot tell.
RELEASE := -c release -Xswiftc -enforce-exclusivity=unchecked

.PHONY: help run test build debug unit integration lint format docs bench bench-parts clean setup

help:
	@echo "make run    build and start the demo gateway"
	@echo "make test   build and run every test"
	@echo "make build  build the release binary"
	@echo "make lint   check format and house rules"
	@echo "make format rewrite sources in the house format"
	@echo "make docs   write the pages of docs/ that are made from the program"
	@echo "make bench  measure against nginx and Envoy; see bench/RESULTS.md"
	@echo "make bench-parts  time the parts of the hot path by themselves"

setup:
	@scripts/setup

build: setup
	$(SWIFT) build $(RELEASE) --product fastgate
	$(SWIFT) build $(RELEASE) --product fastgate-script-worker

debug: setup
	$(SWIFT) build --product fastgate
	$(SWIFT) build --product fastgate-script-worker

run: build
	.build/release/fastgate demo

test: unit integration

unit: setup
	$(SWIFT) test --disable-xctest

integration: debug
	FASTGATE_BINARY=$(CURDIR)/.build/debug/fastgate $(PYTHON) -m pytest -q Tests/integration

lint:
	$(SWIFT) format lint --strict --recursive Sources Tests bench/parts Package.swift

format:
	$(SWIFT) format --in-place --recursive Sources Tests bench/parts Package.swift

docs: debug
	.build/debug/fastgate docs console-keys > docs/console-keys.md

bench: build
	@scripts/setup bench
	$(PYTHON) bench/run.py

# Optimised, and with the doors open that a test needs: a build of its own.
bench-parts: setup
	FASTGATE_BENCH=1 $(SWIFT) test $(RELEASE) -Xswiftc -enable-testing --scratch-path .build-bench --disable-xctest \
		--filter PartBenchmarks

clean:
	rm -rf .build .build-bench .venv .venv-scripts

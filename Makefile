# Start with `make demo` and `make test`. Requires Python >= 3.11 and make.
# `make help` prints the text after `##` of each target.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
# MinIO is published as source only: a commit of 12 February 2026. docs/storage.md has the findings.
MINIO := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

.PHONY: help setup demo up down status test lint rules unit generate check-generated histories minio ocr lock bench clean

help: ## this list
	@awk -F':.*## ' '/^[a-z%-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## create .venv/ with all dependencies and the `liaison` command

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=…")'
	@echo "Installing requirements.lock into .venv: a minute or two, once"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup ## play the main job end to end over gRPC: brand, creators, mediator, operator
	$(BIN)/liaison demo

up: setup ## start the embedded stack and keep it running until Ctrl-C
	$(BIN)/liaison up

down: setup ## stop the embedded stack; its data stays in .liaison/
	$(BIN)/liaison down

status: setup ## show the processes of the embedded stack
	$(BIN)/liaison status

test: setup lint check-generated rules ## run everything CI checks: lint, types, imports, gen/, rules and all tests
	$(BIN)/python -m tests

unit: setup ## run the unit tests only, which start no server
	$(BIN)/python -m tests tests/unit

lint: setup ## run ruff, mypy --strict, import-linter and buf lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.protos lint

rules: setup ## list where each rule of docs/rules.md is enforced and which test proves it
	$(BIN)/python -m scripts.rules

generate: setup ## regenerate gen/ from proto/
	$(BIN)/python -m scripts.protos generate

check-generated: setup ## fail if gen/ does not match proto/
	$(BIN)/python -m scripts.protos check

histories: setup ## record the workflow histories that tests replay
	rm -rf tests/workflows/histories
	LIAISON_RECORD_HISTORIES=1 $(BIN)/python -m tests tests/time_skipping

minio: export PATH := $(PATH):/usr/local/go/bin
minio: setup ## build the MinIO server with Go >= 1.24, for new embedded stacks
	@go env GOVERSION 2>/dev/null | awk -F. '{ sub("go", "") } $$1 > 1 || $$2 >= 24 { good = 1 } END { exit !good }' \
		|| { echo "Go 1.24 or newer is needed on PATH: https://go.dev/dl/" >&2; exit 1; }
	@echo "Building MinIO into .venv/bin: some minutes, once"
	GOBIN=$(CURDIR)/$(BIN) go install -trimpath $(MINIO)
	$(BIN)/minio --version
	@echo "New stacks use MinIO; LIAISON_S3_SERVER=minio makes one that began with SeaweedFS use it, too"

ocr: setup ## install text detection in images (R65); enable: LIAISON_MEDIA_TEXT_DETECTION=true
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-ocr.lock

lock: setup ## resolve pyproject.toml into requirements.lock and requirements-ocr.lock
	$(COMPILE) --extra stack --extra dev --upgrade pyproject.toml -o requirements.lock
	$(COMPILE) --extra ocr --upgrade --constraints requirements.lock pyproject.toml -o requirements-ocr.lock

bench: setup ## run the benchmarks; prints one JSON object per line
	$(BIN)/python -m bench

bench-%: setup ## run one area of benchmarks: bench-stack, -lifecycle, -rpc, -applications, -tasks, -media or -payouts
	$(BIN)/python -m bench $*

clean: ## remove the virtualenv, the caches and the embedded stack's data
	rm -rf .venv .liaison .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# `make help` lists the commands. `make check test` is what .ci/run runs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:            # the steps share one .venv, and their output is for reading
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME UV_PROJECT_ENVIRONMENT UV_SYSTEM_PYTHON

BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help install system demo check test e2e vsix coverage bench lock format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv with everything pinned; leaves .venv/bin/codeact

$(STAMP): pyproject.toml requirements/bootstrap.txt requirements/dev.txt scripts/install.sh scripts/find-python.sh
	@scripts/install.sh
	@touch $@

system: ## have bubblewrap, the sandbox, on this machine
	@scripts/system.sh

demo: install system ## watch the embedded model fix an example (EXAMPLE=cart), and see the proof
	@scripts/demo.sh $(EXAMPLE)

check: install ## lint, format, types, architecture, pins, and what must not be committed
	@scripts/check.sh

test: install ## every test, with coverage; sets up what the tests need where it can (ARGS="-k sandbox")
	@scripts/test.sh $(ARGS)

e2e: install system ## drive the extension in a real VS Code and browser (ARGS=part: only that scenario)
	@scripts/e2e.sh $(ARGS)

vsix: install ## pack the editor extension, with the server inside, as dist/codeact-VERSION.vsix
	@scripts/extension.sh vsix

coverage: ## print the coverage of the last `make test`
	@$(BIN)/coverage report

bench: install system ## measure fixes, sandboxes and snapshots; writes benchmarks/results (ARGS="--limit 5")
	@scripts/bench.sh $(ARGS)

lock: install ## pin pyproject.toml's dependencies anew, with hashes and no index address (ARGS=--upgrade)
	@scripts/lock.sh $(ARGS)

format: install ## format and mend what ruff can mend by itself
	@$(BIN)/ruff check --fix-only --quiet && $(BIN)/ruff format

clean: ## remove .venv, caches and build results; nothing that git tracks
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* dist node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

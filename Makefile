# The contract: `make demo` runs Concord over the demo world, `make test` is everything that CI runs. Both make .venv first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# Hundreds of processes of the tests would each compile all that they read, where a machine's setting forbids to keep it
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help demo test pure test-ui-full screenshots check types style bench fmt lock

PYTHON ?= python3
BIN := .venv/bin
PINNED := .ci/requirements
CODE := matching mdm api stewardship_ui seed
PURE := tests/values tests/entities
UNUSED := $(addprefix -p no:,schemathesis faker anyio)  # importing them takes as long as a fifth of the pure tests
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"

help:
	@echo "make demo | test | test-ui-full | screenshots | check | bench | fmt | lock"

# exec: make's child is Concord itself, so that make waits for its orderly end when both are told to stop
demo: .venv/ready
	@exec $(BIN)/mdm demo

test: .venv/ready browser
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target check pure
	$(BIN)/pytest -q -n 3 --dist worksteal --durations=12 $(addprefix --ignore=,$(PURE))

# The tests that need no database
pure: .venv/ready
	$(BIN)/pytest -q -n 2 $(UNUSED) $(PURE)

# The acceptance checks of the pages at their whole sizes, one after the other, without slack; prints its figures (docs/measured.md)
STEWARDS := tests/e2e/stewards
test-ui-full: .venv/ready browser
	MDM_UI_SLACK=1 MDM_UI_DECISIONS=200 MDM_UI_BURST=50 MDM_UI_UNDOS=20 $(BIN)/pytest -q -s -n 0 $(STEWARDS)/test_deciding.py
	MDM_UI_SLACK=1 MDM_UI_TASKS=100000 $(BIN)/pytest -q -s -n 0 $(STEWARDS)/test_many.py
	MDM_UI_CODES=100 $(BIN)/pytest -q -s -n 0 $(STEWARDS)/test_looking.py
	MDM_UI_DAY=500 $(BIN)/pytest -q -s -n 0 $(STEWARDS)/test_day.py
	CONCORD_OUTAGE_SECONDS=600 $(BIN)/pytest -q -n 0 tests/feed/test_webhooks.py -k outage
	MDM_UI_ROWS=50000 $(BIN)/pytest -q -s -n 0 $(STEWARDS)/test_loading.py
	CONCORD_LOAD_KILLS=5 $(BIN)/pytest -q -n 0 tests/loads/test_killed.py
	$(BIN)/pytest -q -s -n 0 $(STEWARDS)/test_evidence.py $(STEWARDS)/test_everybody.py

# The pictures in docs/images, out of a demo of their own
screenshots: .venv/ready browser
	$(BIN)/python -m tests.e2e.screenshots

# Debian's own browser, where it is missing and may be had; without it the tests of the pages say that they were skipped
.PHONY: browser
browser:
	@command -v "$${MDM_CHROMIUM:-/usr/bin/chromium}" >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { apt-get install -qy --no-install-recommends chromium || { apt-get -q update && apt-get install -qy --no-install-recommends chromium; }; } >/dev/null; } \
	  || echo "NO BROWSER: the tests of the pages will be skipped"

check: types style

types: .venv/ready
	$(BIN)/mypy

style: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/python .ci/code_metrics.py $(CODE)

# One after the other: two benchmarks at once measure each other
bench: .venv/ready
	@for each in lookup translate mapping delivery merge growth quality bulk jobs feed hierarchy load load_beside; do echo "== $$each"; $(BIN)/python -m tests.bench.$$each; done

fmt: .venv/ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The newest versions that pyproject.toml allows, by hash, without the address they came from
lock: .venv/ready
	echo uv | $(COMPILE) - -o $(PINNED)/uv.txt
	$(COMPILE) pyproject.toml -o $(PINNED)/base.txt
	$(COMPILE) pyproject.toml --extra embedded --extra dev -o $(PINNED)/dev.txt

# pip is the second choice because some sites configure their mirror for pip alone
.venv/ready: pyproject.toml $(PINNED)/uv.txt $(PINNED)/dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(PINNED)/uv.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r $(PINNED)/dev.txt || $(BIN)/pip install -q --require-hashes -r $(PINNED)/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

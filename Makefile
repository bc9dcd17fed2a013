# The two commands of a newcomer are `make run` and `make test`; each installs what it needs into .venv.
PYTHON ?= python3.11
PY     := .venv/bin/python
ARGS   ?=
NAME   ?= ring
TESTS  ?= tests
export MMPIPE_DATA  ?= $(CURDIR)/../shared/data
export MMPIPE_PEERS ?= $(CURDIR)/../shared/peers

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run venue replay status stop bench test test-long test-nojit check format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: .venv/installed-run ## create .venv with what running needs

setup-dev: .venv/installed-dev ## … and what testing needs

run: setup ## the whole line against an exchange on this machine; ARGS="--duration 60 --headless --json run.json"
	@.venv/bin/mmpipe run $(ARGS)

venue: setup ## the embedded exchange alone
	@.venv/bin/mmpipe venue $(ARGS)

replay: setup ## recorded data through the same stages; ARGS="FILE --json"
	@.venv/bin/mmpipe replay $(ARGS)

status: setup ## look at a running line
	@.venv/bin/mmpipe status $(ARGS)

stop: setup ## stop a running line: cancel, verify, report
	@.venv/bin/mmpipe stop $(ARGS)

bench: .venv/installed-bench ## measure: NAME=ring, latency, kernels, venue, wire, proxy or learning; ARGS="--json FILE"
	@$(PY) bench/$(NAME).py $(ARGS)

test: setup-dev ## all tests but the long proofs, two workers
	@$(PY) -m stages.warm
	@$(PY) -m pytest -q -n 2 --dist loadfile -m "not long" $(TESTS)

test-long: setup-dev ## the long proofs
	@$(PY) -m stages.warm
	@$(PY) -m pytest -q -m long $(TESTS)

test-nojit: setup-dev ## the kernels as plain Python: bounds and exceptions are Python's own
	@NUMBA_DISABLE_JIT=1 $(PY) -m pytest -q -n 2 -m "not long" tests/ringbuf tests/mmpipe --hypothesis-profile=quick

check: setup-dev ## format, lint, types, import direction, house rules
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PY) -m pytest -q tests/test_tidy.py

format: setup-dev ## let ruff format and sort
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

clean: ## remove .venv and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is missing; on Debian 12: apt-get install python3.11 python3.11-venv"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/installed-run: .venv/bin/python pyproject.toml
	@echo "installing into .venv …"
	@.venv/bin/pip install -q --disable-pip-version-check -e .
	@touch $@

.venv/installed-bench: .venv/installed-run pyproject.toml
	@echo "installing what is measured against into .venv …"
	@.venv/bin/pip install -q --disable-pip-version-check -e '.[bench,train]'
	@touch $@

.venv/installed-dev: .venv/installed-run pyproject.toml
	@echo "installing test tools into .venv …"
	@.venv/bin/pip install -q --disable-pip-version-check -e '.[dev,train]'
	@touch $@

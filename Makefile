# Two commands matter: `make demo` and `make test`. Both set everything up first.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check chaos prove-approvals prove-budgets bench-executor bench-limits bench-budgets bench-audit bench-approvals bench-expiry bench-ledger bench-billing bench-entrypoints

PYTHON ?= python3
BIN := .venv/bin
# The machine's uv where it has one; else one put into .venv from PyPI.
UV := $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)
STAMP := .venv/.synced

help:
	@echo "make demo   run the example report on a stack of its own"
	@echo "make test   run every check and every test"
	@echo "make check  run the checks alone: ruff, mypy"
	@echo "make chaos  kill runs at 200 places and write docs/reliability.md; about half an hour"
	@echo "make prove-approvals  race people and timers for approvals 2,000 times; about ten minutes"
	@echo "make prove-budgets  kill 1,000 callers of one budget, 100 at a time; a few minutes"
	@echo "make bench-executor  measure what the executor adds to the work of steps; about three minutes"
	@echo "make bench-limits  measure what a limit of an engine costs a call; about three minutes"
	@echo "make bench-budgets  measure how many calls one budget lets through; about two minutes"
	@echo "make bench-audit  measure how fast a chain of AUDIT_ROWS (200000) is verified and exported; about a minute"
	@echo "make bench-ledger  measure lists among LEDGER_INVOCATIONS (10000000) rows, and the ledger's writes; about ten minutes"
	@echo "make bench-approvals  measure decisions, the list of a long queue, and bulk; about five minutes"
	@echo "make bench-expiry  measure how long 1,000 approvals take to settle that are due at once"
	@echo "make bench-billing  measure statement, closing and exports of a month with BILLING_ENTRIES (1000000); about seven minutes"
	@echo "make bench-entrypoints  measure reading of ROWS (10000000) rows against plain DuckDB, and of messages; about ten minutes"
	@echo "make setup  prepare .venv; the command line is then $(BIN)/maos"

setup: $(STAMP)

$(STAMP): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --all-extras --inexact --compile-bytecode --quiet
	@touch $@

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "maos needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'

demo: setup
	$(BIN)/maos demo --yes

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One more than there are processors: the process with the end-to-end tests waits for their stack most of the time.
test: PROCESSES ?= $(shell getconf _NPROCESSORS_ONLN)
test: check
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

FIGURES := $(CURDIR)/.venv/reliability.json
chaos: export RELIABILITY_FIGURES := $(FIGURES)
chaos: export CHAOS_KILLS ?= 200
chaos: setup
	rm -f $(FIGURES)
	$(BIN)/pytest tests/unit/test_frontier_properties.py tests/integration/test_chaos.py tests/end_to_end/test_durability.py
	$(BIN)/python -m tests.reliability docs/reliability.md

prove-approvals: export MAOS_PROVE_APPROVALS := 1
prove-approvals: setup
	$(BIN)/pytest --timeout=3600 tests/integration/test_decision_races.py

prove-budgets: export MAOS_PROVE_BUDGETS := 1
prove-budgets: setup
	$(BIN)/pytest --capture=no --quiet --timeout=3600 tests/integration/test_budget_proof.py

bench-executor: export PREFECT_LOGGING_LEVEL := WARNING
bench-executor: setup
	$(BIN)/pytest --capture=no --quiet tests/benchmarks/executor.py

bench-limits: export PREFECT_LOGGING_LEVEL := WARNING
bench-limits: setup
	$(BIN)/pytest --capture=no --quiet --timeout=1800 tests/benchmarks/engine_limits.py

bench-budgets: setup
	$(BIN)/pytest --capture=no --quiet --timeout=1800 tests/benchmarks/budgets.py

bench-audit: setup
	$(BIN)/pytest --capture=no --quiet --timeout=1800 tests/benchmarks/audit.py

bench-ledger: setup
	$(BIN)/pytest --capture=no --quiet --timeout=7200 tests/benchmarks/ledger.py

bench-approvals: export PREFECT_LOGGING_LEVEL := WARNING
bench-approvals: setup
	$(BIN)/pytest --capture=no --quiet --timeout=1800 tests/benchmarks/approvals.py

bench-expiry: setup
	$(BIN)/pytest --capture=no --quiet tests/benchmarks/expiry.py

bench-billing: setup
	$(BIN)/pytest --capture=no --quiet --timeout=3600 tests/benchmarks/billing.py

bench-entrypoints: setup
	$(BIN)/pytest --capture=no --quiet --timeout=3600 tests/benchmarks/entrypoints.py

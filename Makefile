# Two commands matter: `make run` and `make test`. Each sets up what it needs.
# Needed beforehand: python3 (3.11-3.13), make, and a package index (PyPI) within reach.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
export UV_PYTHON_DOWNLOADS = never
export UV_PYTHON = $(PYTHON)
export UV_SYSTEM_CERTS = true
export GX_ANALYTICS_ENABLED = false
export DO_NOT_TRACK = 1
export PYTHONUTF8 = 1
# Where Python is told to keep no bytecode, every process would compile what it imports anew: 2.5 s for the gate alone.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
LAKEHOUSE := $(BIN)/lakehouse
RESIDENTS ?= 20000

.PHONY: help run up test test-fast lint format bench compile clean
help:
	@echo 'make run        demo district → feeds → libraries → marts → releases   (RESIDENTS=20000)'
	@echo 'make test       every test (make test-fast: without the slow ones)'
	@echo 'make up         Airflow on http://127.0.0.1:8080 with all DAGs'
	@echo 'make lint       ruff, mypy, import order, sqlfluff, compiled files, grades, docs'
	@echo 'make bench      every benchmark → bench/RESULTS.md'

# The environment: uv from the PATH, or put into .venv-uv by pip; the lock file decides every version.
.venv/.ready: pyproject.toml uv.lock
	@if command -v uv >/dev/null 2>&1; then uv=uv; else \
	  test -x .venv-uv/bin/uv || { echo '== installing uv'; $(PYTHON) -m venv .venv-uv && .venv-uv/bin/pip install -q uv; }; \
	  uv=.venv-uv/bin/uv; fi; \
	echo '== installing the environment (once)'; $$uv sync --locked --compile-bytecode
	@$(BIN)/python -m compileall -q -j 0 catalog dags demo ingestion lakehouse quality warehouse
	@touch $@

run: .venv/.ready
	$(LAKEHOUSE) run --residents $(RESIDENTS)

up: .venv/.ready
	$(LAKEHOUSE) up

test: .venv/.ready
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test-fast: .venv/.ready
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m 'not slow and not airflow and not server'

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(LAKEHOUSE) catalog lint --json >/dev/null
	LAKEHOUSE_HOME=$(CURDIR)/var/lint LAKEHOUSE_BUILD_DB=:memory: $(BIN)/sqlfluff lint dbt_project/models
	LAKEHOUSE_HOME=$(CURDIR)/var/lint $(LAKEHOUSE) grade check >/dev/null
	$(BIN)/python docs/check.py

format: .venv/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

compile: .venv/.ready
	$(LAKEHOUSE) catalog compile

bench: .venv/.ready
	$(BIN)/python -m bench

clean:
	rm -rf .venv .venv-uv var

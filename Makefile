# Each target makes the virtual environment it needs; `make demo` installs no development tools.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SEEDS  ?= 1
INSTALL_COQ ?= no

.PHONY: help demo test test-slow check bench proofs clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[train]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.train

demo: $(VENV)/.train  ## cliffs under GRPO, HDPO and SDPG on a small model: runs/demo/report.html
	$(BIN)/hdpo compare --preset demo --seeds $(SEEDS)

test: $(VENV)/.dev  ## the tests
	$(BIN)/pytest -q -m 'not slow and not host' -n 2 --dist worksteal

test-slow: $(VENV)/.dev  ## the long tests that CI also runs
	$(BIN)/pytest -q -m 'slow and not host' -n 2 --dist worksteal

check: $(VENV)/.dev  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

bench: $(VENV)/.dev  ## ratios within one run: losses, sampling, imports, verifier
	$(BIN)/python -m benchmarks

proofs:  ## build and audit the Coq proofs
	$(MAKE) -C proofs check INSTALL_COQ=$(INSTALL_COQ)

clean:  ## remove the virtual environment and the runs
	rm -rf $(VENV) runs build *.egg-info .pytest_cache .ruff_cache .hypothesis

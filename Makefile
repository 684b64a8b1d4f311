# Each target makes the virtual environment it needs; `make demo` installs no development tools.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
APART  := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target
SEEDS  ?= 1
INSTALL_COQ ?= no
# Hosts whose adapters run against the real library, each in a virtual environment of its own.
HOSTS  ?= $(notdir $(patsubst %/requirements.txt,%,$(filter-out %/openrlhf/requirements.txt,$(wildcard tests/plugins/*/requirements.txt))))

.PHONY: help demo test test-slow check bench proofs test-hosts test-antlr fuzz hosts-openrlhf test-openrlhf nightly-openrlhf bench-openrlhf clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

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

.PRECIOUS: .venv-%/.ready
.venv-%/.ready: tests/plugins/%/requirements.txt tests/plugins/requirements.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r tests/plugins/requirements.txt -r $<
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

test-hosts: $(HOSTS:%=test-host-%)  ## the adapters against the real libraries (all but OpenRLHF)

test-host-%: .venv-%/.ready
	.venv-$*/bin/python -m pytest -q -m host tests/plugins/$*

# The verifier beside each antlr runtime and gmpy2, installed apart from everything else.
.venv-antlr/.ready: | $(VENV)/.dev
	for v in 4.9.3 4.11.1 4.13.2; do $(APART) .venv-antlr/antlr-$$v antlr4-python3-runtime==$$v || exit 1; done
	$(APART) .venv-antlr/gmpy2 gmpy2==2.3.2
	@touch $@

test-antlr: .venv-antlr/.ready  ## the same verdicts beside any antlr, with and without gmpy2
	$(BIN)/pytest -q -m host tests/verifiers/test_environments.py -k antlr

fuzz: $(VENV)/.dev  ## a million random inputs against the verifier
	$(BIN)/python -m benchmarks.verifier_fuzz --items 1000000

# OpenRLHF whole on the CPU: its environment is pinned with hashes (tests/plugins/openrlhf/).
ORLHF := .venv-openrlhf/bin/python
ORLHF_PIP := $(ORLHF) -m pip install --quiet --disable-pip-version-check

.venv-openrlhf/.ready: tests/plugins/openrlhf/requirements.txt tests/plugins/requirements.txt
	$(PYTHON) -m venv .venv-openrlhf
	$(ORLHF_PIP) -r tests/plugins/requirements.txt setuptools==78.1.1 wheel==0.45.1
	DS_BUILD_OPS=0 $(ORLHF_PIP) --no-deps --no-build-isolation --require-hashes -r $<
	$(ORLHF_PIP) --no-deps -e .
	$(ORLHF) tests/plugins/openrlhf/cpu.py tests/plugins/openrlhf/compile_ops.py
	@touch $@

hosts-openrlhf: .venv-openrlhf/.ready  ## OpenRLHF, DeepSpeed, Ray and vLLM for the CPU (Python 3.11, Linux x86-64)

test-openrlhf: .venv-openrlhf/.ready  ## the OpenRLHF plugin in the real stack, whole on the CPU
	$(ORLHF) tests/plugins/openrlhf/cpu.py -m pytest -q -m host -k ray tests/verifiers/test_environments.py
	$(ORLHF) tests/plugins/openrlhf/cpu.py -m pytest -q -m host tests/plugins/openrlhf --ignore tests/plugins/openrlhf/test_learning.py

nightly-openrlhf: .venv-openrlhf/.ready  ## does it learn? 80 steps with and without the plugin
	$(ORLHF) tests/plugins/openrlhf/cpu.py -m pytest -q -m host tests/plugins/openrlhf/test_learning.py

bench-openrlhf: .venv-openrlhf/.ready  ## what HDPO costs a step of OpenRLHF, against its tokens
	$(ORLHF) tests/plugins/openrlhf/cpu.py -m benchmarks.openrlhf_overhead

proofs:  ## build and audit the Coq proofs
	$(MAKE) -C proofs check INSTALL_COQ=$(INSTALL_COQ)

clean:  ## remove the virtual environment and the runs
	rm -rf $(VENV) .venv-* runs build *.egg-info .pytest_cache .ruff_cache .hypothesis

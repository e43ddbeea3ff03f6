# Needs Python 3.11, 3.12 or 3.13 and make; everything else goes into .venv.
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help setup test test-all demo lint format clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## make .venv and install equalinfo into it, with the versions of constraints.txt

# Two processes: each imports TensorFlow, Beam and JAX, which takes 20 s and 2 GB.
PYTEST := $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

test: lint ## lint, then run the tests that are not slow (4 minutes on two cores)
	@$(PYTEST)

test-all: lint ## lint, then run every test (CONTRIBUTING.md says when)
	@$(PYTEST) -m 'slow or not slow'

demo: $(STAMP) ## compress the text in demo/text, train on the tokens, print a table (1 to 8 minutes)
	@echo "Loading TensorFlow and JAX ..."
	@PYTHONPATH="$(CURDIR)" $(BIN)/python demo/run.py

lint: $(STAMP) ## ruff, mypy, import-linter
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP) ## rewrite the sources as ruff has them
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean: ## remove .venv, caches and build outputs
	rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else 1)' || { \
	  echo "equalinfo needs Python 3.11, 3.12 or 3.13, but '$(PYTHON)' is not one:" \
	    "$$($(PYTHON) --version 2>&1). Name one: make setup PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: it has no venv or no ensurepip module." \
	    "On Debian and Ubuntu: apt install python3-venv. Or name another Python:" \
	    "make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || command -v c++ >/dev/null || { \
	  echo "Python 3.13 needs a C++ compiler here: editdistance, which SeqIO requires, has no wheel" \
	    "for it. On Debian and Ubuntu: apt install g++. Or: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing into $(VENV): 4 GB and some minutes, once."
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --upgrade -c constraints.txt pip setuptools wheel
	@$(PIP) install -c constraints.txt --build-constraint constraints.txt -e '.[all]'
	@touch $@

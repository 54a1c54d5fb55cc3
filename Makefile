# Every verb of the project. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= dev
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(EXTRAS)

.DEFAULT_GOAL := help
.PHONY: help setup demo check test bench docs

help:  ## list these verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 10

setup: $(STAMP)  ## make .venv and install everything, pinned by constraints.txt

$(STAMP): pyproject.toml constraints.txt setup.py src/basketry/kernels/_build.py $(wildcard src/basketry/kernels/*.c src/basketry/kernels/*.h)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: setup  ## the main job on 1.5 million real order lines: ingest, build, publish, explain, draw
	$(BIN)/basketry demo --shop demo-shop

check: setup  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup  ## every test, slow ones too; those that need absent data or programs skip with their reason
	$(BIN)/python -m pytest -n 2

bench: setup  ## measure against peers and write the pages in docs/reference
	$(BIN)/python benchmarks/speed/start.py
	$(BIN)/python benchmarks/speed/pairs.py 5
	$(BIN)/python benchmarks/speed/ingest.py
	$(BIN)/python benchmarks/quality/crosslingual.py
	$(BIN)/python benchmarks/quality/holdout.py

docs: setup  ## write the reference pages that come from the code
	$(BIN)/python docs/generate.py

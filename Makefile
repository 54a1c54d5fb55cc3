# Every verb of the project. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= dev
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 30
PEERS ?=
SANITIZERS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
STAMP := $(VENV)/.installed-$(EXTRAS)

.DEFAULT_GOAL := help
.PHONY: help setup demo check test sanitize fuzz bench docs

help:  ## list these verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 10

setup: $(STAMP)  ## make .venv and install everything, pinned by constraints.txt

$(STAMP): pyproject.toml constraints.txt setup.py src/basketry/kernels/_build.py $(wildcard src/basketry/kernels/*.c src/basketry/kernels/*.h src/basketry/kernels/*.inc)
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

sanitize: setup  ## the kernels' tests under the address and undefined-behaviour sanitizers
	CFLAGS="$(SANITIZERS)" LDFLAGS="$(SANITIZERS)" $(BIN)/python setup.py --quiet build --build-base build/sanitized-objects --build-lib build/sanitized
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=build/sanitized \
		$(BIN)/python -m pytest -q -n 2 tests/unit/kernels

fuzz: setup  ## coverage-guided fuzzing of the kernels under sanitizers, FUZZ_SECONDS long (clang)
	mkdir -p build/fuzz/corpus
	clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Isrc/basketry/kernels \
		tests/fuzz/kernels.c $(filter-out %/_kernels.c,$(wildcard src/basketry/kernels/*.c)) -lm -o build/fuzz/kernels
	for number in 1 2 3 4 5 6 7 8; do head -c 3000 /dev/urandom > build/fuzz/corpus/seed$$number; done
	build/fuzz/kernels -max_total_time=$(FUZZ_SECONDS) -len_control=0 -max_len=6000 -artifact_prefix=build/fuzz/ -verbosity=0 \
		-print_final_stats=1 build/fuzz/corpus

bench: setup  ## measure against peers (PEERS: a python that has them) and write the pages in docs/reference; an hour and more
	$(BIN)/python benchmarks/speed/start.py
	$(BIN)/python benchmarks/speed/pairs.py 5
	$(BIN)/python benchmarks/speed/ingest.py
	$(BIN)/python benchmarks/speed/itemsets.py $(PEERS)
	$(BIN)/python benchmarks/speed/rules.py $(PEERS)
	$(BIN)/python benchmarks/speed/sequences.py
	$(BIN)/python benchmarks/speed/utility.py
	$(BIN)/python benchmarks/speed/moving.py
	$(BIN)/python benchmarks/speed/runtime_kernels.py
	$(BIN)/python benchmarks/speed/encoders.py build/students
	$(BIN)/python benchmarks/speed/recommenders.py $(PEERS)
	$(BIN)/python benchmarks/speed/vectors.py $(if $(PEERS),--peers $(PEERS))
	$(BIN)/python benchmarks/quality/crosslingual.py
	$(BIN)/python benchmarks/quality/holdout.py
	$(BIN)/python benchmarks/quality/rules.py
	$(BIN)/python benchmarks/quality/reasons.py
	$(BIN)/python benchmarks/quality/images.py
	$(BIN)/python benchmarks/quality/products.py
	$(BIN)/python benchmarks/quality/pretraining.py
	$(BIN)/python benchmarks/quality/cold.py
	$(BIN)/python benchmarks/quality/next_product.py
	$(BIN)/python benchmarks/quality/next_basket.py
	$(BIN)/python benchmarks/quality/unsold_products.py
	$(BIN)/python benchmarks/quality/bodies.py
	$(BIN)/python benchmarks/quality/neural_rules.py

docs: setup  ## write the reference pages that come from the code
	$(BIN)/python docs/generate.py

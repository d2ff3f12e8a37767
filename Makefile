.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check bench bench-smoke reproduce clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.reparam-setup
DEMO := runs/demo
TORCH := $(shell grep '^torch==' constraints.txt)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv, with exact versions and reparam itself

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH) -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[cli,dev]'
	touch $@

demo: setup  ## train on the bundled digits, evaluate, draw the pictures (about a minute)
	$(BIN)/reparam fit digits --recipe zeldes --epochs 150 -o $(DEMO)
	$(BIN)/reparam evaluate $(DEMO) digits:test
	$(BIN)/reparam plot $(DEMO) --data digits:test -o $(DEMO)/figures
	@echo "pictures: $(DEMO)/figures    model: $(DEMO)/model.safetensors"

test: setup  ## the tests and doctests that take seconds
	$(BIN)/python -m pytest -m "not slow"

test-all: setup  ## every test
	$(BIN)/python -m pytest

check: setup  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup  ## measure speed against peers; ARGS="training --rounds 5" picks parts
	$(BIN)/python -m benchmarks speed $(ARGS)

bench-smoke: setup  ## a rehearsal of the same: ours alone, tiny, nothing written
	$(BIN)/python -m benchmarks speed --small $(ARGS)

reproduce: setup  ## recompute our figures beside the published ones
	$(BIN)/python -m benchmarks reproduce

clean:  ## remove caches and build products; .venv and runs stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-lowest test-core release-check coverage check check-js vendor docs bench bench-smoke reproduce torture audit clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.reparam-setup
DEMO := runs/demo
SHARP := likelihood=Gaussian(loc=Local(Sigmoid()), scale=Fixed(0.2))
TORCH := $(shell grep '^torch==' constraints.txt)
TESTERS := $(shell grep -E '^(pytest|hypothesis)==' constraints.txt)

LOWEST := .venv-lowest
LOWEST_TORCH :=
LOWEST_TESTS := $(patsubst %,tests/%.py,test_architecture specs/test_parse estimator/test_estimator data/test_tables families/test_families)

CORE := .venv-core
TYPESCRIPT := 5.9.3
AXE := 4.14.1

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv, with exact versions and reparam itself

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(TORCH) -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,docs]'
	touch $@

demo: setup  ## digits and a table: train, evaluate, draw the pictures, fill gaps, find anomalies (two minutes)
	$(BIN)/reparam fit digits --recipe zeldes --set "$(SHARP)" --epochs 200 --overwrite -o $(DEMO)/digits
	$(BIN)/reparam evaluate $(DEMO)/digits digits:test --report $(DEMO)/digits/report.html
	$(BIN)/reparam plot $(DEMO)/digits --data digits:test -o $(DEMO)/digits/figures
	$(BIN)/python tools/demo_table.py make $(DEMO)/wines.csv
	$(BIN)/reparam fit $(DEMO)/wines.csv --overwrite -o $(DEMO)/table
	$(BIN)/reparam impute $(DEMO)/table $(DEMO)/wines.csv -o $(DEMO)/filled.csv
	$(BIN)/python tools/demo_table.py check $(DEMO)/filled.csv
	$(BIN)/reparam detect $(DEMO)/wines.csv -o $(DEMO)/anomalies.csv --picture $(DEMO)/scores.png
	$(BIN)/reparam plot $(DEMO)/table --data $(DEMO)/wines.csv -o $(DEMO)/table/figures
	$(BIN)/reparam export $(DEMO)/digits digits:test --html $(DEMO)/explorer.html
	@echo "pictures: $(DEMO)/digits/figures, $(DEMO)/table/figures    pages: $(DEMO)/digits/report.html, $(DEMO)/explorer.html"

test: setup  ## the tests and doctests that take seconds
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: setup  ## every test
	$(BIN)/python -m pytest -n 2

# Warnings are no errors here: an old library may warn of a newer one beside it.
test-lowest:  ## some fast tests with the lowest versions allowed; LOWEST_TORCH=2.13.0 takes another torch
	python3 -m venv --clear $(LOWEST)
	python3 tools/lowest.py polars excel devices $(LOWEST_TORCH:%=torch==%) > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet -r $(LOWEST)/lowest.txt $(TESTERS) -e .
	$(LOWEST)/bin/python -m pytest -W default -m "not slow" $(LOWEST_TESTS)

test-core:  ## a bare install without extras: the command line works, and a missing extra is named
	rm -rf build
	python3 -m venv --clear $(CORE)
	$(CORE)/bin/python -m pip install --quiet $(TORCH) -c constraints.txt
	$(CORE)/bin/python -m pip install --quiet -c constraints.txt pytest .
	$(CORE)/bin/python -m pytest -o pythonpath=. tests/test_core.py

release-check: setup  ## wheel and sdist: built, checked, installed and tried in fresh environments
	$(BIN)/python tools/release_check.py

coverage: setup  ## the same tests as `make test`, with the share of lines that they run
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report=term:skip-covered

check: setup  ## lint, format, types, stray spaces and large files
	@git ls-files -z ':!*/vendor/*' | xargs -0 $(BIN)/python tools/hygiene.py
	@$(BIN)/python tools/vendor.py --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup  ## the documentation site in build/docs, from nothing; its cells run, and warnings are errors
	rm -rf build/docs build/docs-cells build/docs-files build/docs-pages
	$(BIN)/python -m sphinx -b html -j 2 -n -W --keep-going -q -d build/docs-pages docs build/docs
	$(BIN)/python tools/check_site.py build/docs
	$(BIN)/python tools/site_in_browser.py build/docs
	@echo "site: build/docs/index.html"

check-js:  ## the types of the page's JavaScript, by TypeScript from npm; a test of its accessibility takes axe-core from there, too
	test -d $(VENV)/js/node_modules/axe-core || npm install --silent --no-audit --no-fund --prefix $(VENV)/js typescript@$(TYPESCRIPT) axe-core@$(AXE)
	$(VENV)/js/node_modules/.bin/tsc -p tools/tsconfig.json

vendor:  ## fetch what the page brings along, at its versions and by its hashes
	python3 tools/vendor.py

bench: setup  ## measure speed against peers; ARGS="training --rounds 5" picks parts
	$(BIN)/python -m benchmarks speed $(ARGS)

bench-smoke: setup  ## a rehearsal of the same: ours alone, tiny, nothing written
	$(BIN)/python -m benchmarks speed --small $(ARGS)

reproduce: setup  ## recompute our figures beside the published ones
	$(BIN)/python -m benchmarks reproduce

SHARE := 1

torture: setup  ## kills, damaged and hostile files, little memory: an hour and a half, or SHARE=0.1; writes docs/reliability.md
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.torture --share $(SHARE) -o docs/reliability.md

# torch's local version is not one of the index; its public one is.
audit: setup  ## known vulnerabilities of what is installed, and a CycloneDX list of parts in build/parts.json
	mkdir -p build
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' > build/installed.txt
	$(BIN)/python -m cyclonedx_py environment $(VENV) --pyproject pyproject.toml --of JSON -o build/parts.json
	@echo "parts: build/parts.json"
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip -r build/installed.txt

clean:  ## remove caches and build products; .venv and runs stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# `make` shows what can be done. Needs only python3 (3.11 or newer) with its venv module, and the package index.
#   make PYTHON=python3.13 VENV=.venv-3.13 test

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
READY := $(VENV)/ready
SAMPLES := $(sort $(wildcard sample_logs/*/*log sample_logs/*/*log.*))

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-oldest test-lab lint types contracts check lab bench build docs man format clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

demo: $(READY) ## read the sample logs into a fresh store and show the traffic
	rm -rf demo-store
	TLSMON_STORE=demo-store $(BIN)/tlsmon ingest $(SAMPLES)
	TLSMON_STORE=demo-store $(BIN)/tlsmon traffic

test: test-fast test-lab ## run all tests (real mail servers: after `make lab`, as root)

test-fast: $(READY) ## run the tests that need no mail server
	$(BIN)/python -m pytest -n auto -m 'not lab'

test-oldest: ## run the tests that need no mail server with the oldest packages that pyproject.toml admits (needs uv)
	uv venv -q --clear --python $(PYTHON) .venv-oldest
	uv pip compile -q --resolution lowest-direct --extra cluster --no-emit-package tlsmon --python .venv-oldest/bin/python \
	    pyproject.toml -o .venv-oldest/oldest.txt
	uv pip install -q --python .venv-oldest/bin/python -r .venv-oldest/oldest.txt --group test
	uv pip install -q --python .venv-oldest/bin/python --no-deps -e .
	.venv-oldest/bin/python -m pytest -n auto -m 'not lab'

# Each run has network namespaces of its own; two at a time leave the mail servers enough of two cores.
test-lab: $(READY) ## run the tests with real mail servers; skipped where there are none
	$(BIN)/python -m pytest -n 2 --dist worksteal -m lab tests

lint: $(READY) ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## check types
	$(BIN)/mypy

contracts: $(READY) ## check which module may import which
	$(BIN)/lint-imports

check: lint types contracts test ## everything before a commit

format: $(READY) ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lab: ## install the real mail servers that the lab drives (Debian, root)
	sh tests/lab/install.sh

bench: $(READY) ## measure speed and memory
	$(BIN)/python -m bench

build: $(READY) ## make the wheel and the source archive in dist/
	rm -rf dist
	$(BIN)/python -m build

docs: $(READY) ## make the documentation in dist/docs; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs dist/docs

man: $(READY) ## make the man page in dist/
	mkdir -p dist
	$(BIN)/python -m tlsmon.cli.manual $$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) > dist/tlsmon.1

clean: ## remove what make made
	rm -rf $(VENV) demo-store dist

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is older than 3.11: name another one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "$(PYTHON) cannot make virtual environments: install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

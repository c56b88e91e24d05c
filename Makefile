# The two commands of the README. VENV, PYTHON and CONSTRAINTS can be set:
# make test VENV=/tmp/venv CONSTRAINTS=constraints-latest.txt
VENV ?= .venv
PYTHON ?= python3.11
CONSTRAINTS ?= constraints.txt
BIN = $(VENV)/bin
# tests run side by side: their torch threads must not fight for the cores
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

.PHONY: run test fast lint

run: $(VENV)/ready
	$(BIN)/recbole-mwuf --model=MWUF --base=WideDeep --dataset=ml-100k

test: lint
	$(PYTEST)

fast: $(VENV)/ready
	$(PYTEST) -m "not slow"

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# torch first, from its pin: nothing that follows pulls another build
$(VENV)/ready: setup.py constraints.txt $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q $$(grep '^torch==' constraints.txt)
	$(BIN)/pip install -q -c $(CONSTRAINTS) -e '.[test]'
	touch $@

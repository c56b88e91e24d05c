# The two commands of the README. VENV and PYTHON can be set: make test VENV=/tmp/venv
VENV ?= .venv
PYTHON ?= python3.11
BIN = $(VENV)/bin

.PHONY: run test lint

run: $(VENV)/ready
	$(BIN)/recbole-mwuf --model=MWUF --base=WideDeep --dataset=ml-100k

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# torch first, from its pin: nothing that follows pulls another build
$(VENV)/ready: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q $$(grep '^torch==' constraints.txt)
	$(BIN)/pip install -q -c constraints.txt -e '.[test]'
	touch $@

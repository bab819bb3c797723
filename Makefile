# Two commands do everything: `make demo` and `make test`. Each makes .venv first where it is missing or out of date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test slow torture lecture lint types contract format docs clean help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# The constraints pin every version, torch's among them; torch goes in first so that no other package picks its build.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Sightline needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 $(MAKECMDGOALS)" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) (a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[develop]'
	@touch $(READY)

demo: $(READY)  ## set up, train on real handwritten digits, show model and run
	@$(BIN)/sightline train digits --out runs/demo --overwrite

test: $(READY)  ## set up, then lint, types, import contract and tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

slow: $(READY)  ## the proofs that take minutes
	@$(BIN)/python -m pytest -m slow

torture: $(READY)  ## fail, kill, cut off and alter at every write, step and byte: about 20 minutes on two processors
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow --numprocesses auto --maxprocesses 4 --durations 20 tests/exactness tests/cli/test_resume.py

lecture: $(READY)  ## measure the lecture's claims and write docs/lecture-measured.md; stopped, it goes on
	@$(BIN)/python benchmarks/lecture_measured.py ../shared/data --weights ../shared/weights

format: $(READY)  ## put the code into the house's form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(READY)  ## write the generated pages of docs/ anew
	@$(BIN)/python -m sightline.recipe.options docs/options.md
	@$(BIN)/python -m sightline.explain.lecture_map docs/lecture.md
	@$(BIN)/python -m sightline.cli.reference
	@$(BIN)/python -m sightline.augmentation.documentation docs/augmentation.md

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# make demo    the whole job on embedded music, offline after the install, on a CPU
# make test    the test suite, in two processes with one thread of arithmetic each
# make check   format, lint, types, tests: what CI runs
# PYTHON=...   which Python makes the virtual environment (3.11 is tested)

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.installed

.PHONY: demo test check format lint types clean

demo: $(READY)
	$(BIN)/marble-eval demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --max-worker-restart 0

check: format lint types test

format: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

# tinysoundfont alone without its dependencies: PyAudio is for live playing and wants a compiler.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps tinysoundfont
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

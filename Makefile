# make demo   fit an example room, from a bare machine to a report
# make audition   open the listening room in the browser
# make check   lint, types and the tests that start nothing: under a minute, to be run at every save
# make test   lint, types and all tests
# make player-dist   the player plugin as archives for Linux and Windows, see docs/plugins.md
# Everything happens in .venv; constraints.txt pins the one package whose builds differ between machines.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
DEMO_ROOM := data/lecture_room.wav
# A process a core, up to four; tests of one file, and those that share a costly fixture, stay in one.
PARALLEL ?= --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo audition check test lint types fast slow tests coverage fuzz processors hooks format wheel player \
	player-dist clean

help:
	@sed -n '1,5s/^# //p' Makefile

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -e '.[test,lint]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/fdnlearn fit $(DEMO_ROOM) -o demo --force

audition: $(VENV)/.installed
	$(PIP) -e '.[audition]'
	$(BIN)/fdnlearn audition

check: lint types fast

test: lint types tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-dev
	$(BIN)/mypy

fast: $(VENV)/.installed-dev
	$(PYTEST) $(PARALLEL) --tier fast

slow: $(VENV)/.installed-dev
	$(PYTEST) $(PARALLEL) --tier slow

tests: $(VENV)/.installed-dev
	$(PYTEST) $(PARALLEL)

coverage: $(VENV)/.installed-dev
	$(PYTEST) $(PARALLEL) --tier fast --cov --cov-report=
	@echo "lines that the fast tests reach: $$($(BIN)/python -m coverage report --format=total) %"

# Inputs that nobody has thought of: those of another SEED are others. What shows a fault is kept in fuzz-failures/.
SECONDS ?= 600
SEED ?= 0
fuzz: $(VENV)/.installed-dev
	nice $(BIN)/python tests/fuzz --seconds $(SECONDS) --seed $(SEED)

# As on a processor without wide vectors, for which kernels are compiled anew, and as on another with one thread.
processors: $(VENV)/.installed-dev
	cache=$$(mktemp -d) && trap 'rm -rf "$$cache"' EXIT && \
	NUMBA_CACHE_DIR="$$cache" NUMBA_CPU_NAME=generic ATEN_CPU_CAPABILITY=default $(PYTEST) $(PARALLEL) -m last_bits
	NUMBA_NUM_THREADS=1 ATEN_CPU_CAPABILITY=avx2 $(PYTEST) $(PARALLEL) -m last_bits

hooks: $(VENV)/.installed-dev
	$(BIN)/pre-commit install

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

player:
	$(MAKE) -C apps/player

player-dist:
	$(MAKE) -C apps/player dist

clean:
	$(MAKE) -C apps/player clean
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

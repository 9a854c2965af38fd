# make demo   fit an example room, from a bare machine to a report
# make audition   open the listening room in the browser
# make test   lint, types and all tests
# make player-dist   the player plugin as archives for Linux and Windows, see docs/plugins.md
# Everything happens in .venv; constraints.txt pins the one package whose builds differ between machines.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
DEMO_ROOM := data/lecture_room.wav

.DEFAULT_GOAL := help
.PHONY: help demo audition test lint types tests format wheel player player-dist clean

help:
	@sed -n '1,4s/^# //p' Makefile

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -e '.[test,lint]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/fdnlearn fit $(DEMO_ROOM) -o demo --model homogeneous --force

audition: $(VENV)/.installed
	$(PIP) -e '.[audition]'
	$(BIN)/fdnlearn audition

test: lint types tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-dev
	$(BIN)/mypy

tests: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

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

# Everything that this project does, each line one command. All of it lives in .venv.
PYTHON ?= python3
DB ?= sqlite
# Processes that share the tests: one more than two cores, since tests wait for servers.
JOBS ?= 3
# Where `make imports` installs applications.
IMPORTS ?= .imports
BIN = .venv/bin
# What `make matrix` runs; an empty value leaves that part out.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
SERVERS ?= /usr/lib/postgresql/*/bin
LOWEST ?= 1
# Without compiled files, each process that a test starts would compile dbwarden first.
unexport PYTHONDONTWRITEBYTECODE
# The folders of the tests, in memory where there is some: they create thousands of small files.
export PYTEST_DEBUG_TEMPROOT ?= $(shell test -w /dev/shm && echo /dev/shm)

.PHONY: demo online test check mutants long imports recipes docs matrix bench clean
.DEFAULT_GOAL := help

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

.venv/.project: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	touch $@

.venv/.scratch: .venv/.project
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[scratch]'
	touch $@

.venv/.dev: .venv/.project
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ .venv/.scratch

ifeq ($(DB),postgresql)
demo: .venv/.scratch
endif
demo: .venv/.project  ## three databases configured, checked, migrated, healthy, then served (DB=postgresql: a real server)
	$(BIN)/python examples/three_databases/demo.py $(DB)

# The rows of the table in `make online`.
ROWS ?= 1000000
online: .venv/.scratch  ## a table of a million rows changes while an application uses it (ROWS=100000: a smaller one)
	$(BIN)/python examples/online/story.py $(ROWS)

test: check  ## every gate and every test
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal --cov --cov-report=term $(PYTEST)

check: .venv/.dev  ## formatting, lint, types, arrows, sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/sizes.py
	$(BIN)/python tests/cycles.py

mutants: .venv/.dev  ## plant faults in copies of src, and see that the tests catch each
	$(BIN)/python tests/mutants.py

long: .venv/.dev  ## the tests that take too long for `make test`: every case through the commands, kills by the dozen
	DBWARDEN_LONG=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal -m long $(PYTEST)

imports: .venv/.dev  ## the Alembic histories of real applications from PyPI, each in an environment of its own
	$(BIN)/python tests/real_histories.py $(IMPORTS) $(APPLICATIONS)

matrix: .venv/.dev  ## the tests on each Python and PostgreSQL of this machine, and on the lowest dependencies
	$(BIN)/python tests/matrix.py --pythons "$(PYTHONS)" --servers "$(SERVERS)" --lowest "$(LOWEST)" --jobs "$(JOBS)"

recipes: .venv/.dev  ## the recipes of the documentation, checked by the tools that read them
	$(BIN)/python tests/recipes.py

.venv/.docs: .venv/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

docs: .venv/.docs  ## the documentation site in site/; fails on a broken link
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: .venv/.dev  ## the figures, as ratios in one run
	$(BIN)/python -m benchmarks

clean:  ## take .venv and what the tools left behind
	rm -rf .venv site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist .coverage .coverage.*

# Two commands do everything on a machine that has Python 3.11 to 3.13 and make:
#   make demo   creates the environment and runs the bundled Bay Area scenario
#   make test   creates the environment and passes the checks and the tests
# `make clean` removes the environment and what tools left behind, no results.

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
DEMO_OUT ?= macjax-demo

# The first of these interpreters that is Python 3.11 to 3.13 and can make an
# environment; `make PYTHON=/path/to/python` chooses another.
CANDIDATES := python3 python3.13 python3.12 python3.11 python
PROBE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(firstword $(foreach p,$(CANDIDATES),$(shell $(p) -c '$(PROBE)' >/dev/null 2>&1 && echo $(p))))

.PHONY: demo test lint clean

demo: $(VENV)/.installed-plots
	$(VENV)/bin/macjax demo --out $(DEMO_OUT)

test: lint
	$(PY) -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pyright --pythonpath $(PY)

# pip is the last thing `venv` puts in place: without it the environment is not whole.
$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "macjax needs Python 3.11 to 3.13 with the venv \
	module (on Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-plots: pyproject.toml | $(VENV)/bin/pip
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[plots]'
	@touch $@

# The dev extra holds what the plots extra holds.
$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/pip
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed-plots

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find macjax tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

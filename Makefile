# make demo   sets everything up, trains on real handwritten digits, evaluates, predicts
# make test   sets everything up, runs the tests
# make coverage  the tests, and which lines they reach
# make lint   formatter, linter, type checker
# LEAN=1      takes the build of PyTorch without CUDA from PyTorch's own index (Linux; 0.2 instead of 3 GB)

PYTHON ?= python3
PYTEST := pytest
VENV := .venv
BIN := $(VENV)/bin
RETINULA := $(CURDIR)/$(BIN)/retinula
LEAN_INDEX := https://download.pytorch.org/whl/cpu

# Tests start Python a thousand times; where it may not keep what it compiled, as in many containers, it compiles anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-all coverage coverage-report lint clean

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "retinula needs Python 3.11 or newer; set PYTHON=..., as in: make demo PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		$(if $(LEAN),--extra-index-url $(LEAN_INDEX)) -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/ready
	rm -rf demo && mkdir demo
	cd demo && $(RETINULA) train
	cd demo && $(RETINULA) evaluate last
	cd demo && $(RETINULA) data unpack digits digits
	cd demo && $(RETINULA) predict last digits/test/3 --top 2 --plot pictures
	@echo
	@echo 'Look at:'
	@echo '  demo/runs/digits-1/figures/   curves, confusion matrix, calibration, 16 test pictures'
	@echo '  demo/pictures/                each picture with its answers'
	@echo '  demo/runs/digits-1/report.json, metrics.jsonl, steps.csv, model.safetensors'

test: $(VENV)/ready
	$(BIN)/python -m $(PYTEST)

test-all: $(VENV)/ready
	$(BIN)/python -m $(PYTEST) -m ''

coverage: test coverage-report
coverage: PYTEST := coverage run -m pytest

coverage-report: $(VENV)/ready
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under 90

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* demo

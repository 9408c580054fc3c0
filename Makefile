# Each of these sets up what it needs, from a fresh clone, in .venv.
#
# On Linux the ordinary package index brings torch with gigabytes of CUDA libraries. For the
# CPU build name PyTorch's own index:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Programs that some tests compare with. Where they cannot be installed, those tests skip.
DEBIAN_PACKAGES := ffmpeg

.PHONY: demo test check docs coverage format clean

demo: $(VENV)/.demo
	$(BIN)/scenewise demo

test: $(VENV)/.dev debian
	$(BIN)/python -m pytest -n 2 --dist loadfile

coverage: $(VENV)/.dev debian
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report term-missing:skip-covered

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	$(BIN)/zensical build --clean --strict

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo site .cache

$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(PIP) -e ".[demo]"
	touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(PIP) -e ".[dev]"
	touch $@ $(VENV)/.demo

.PHONY: debian
debian:
	@for package in $(DEBIAN_PACKAGES); do \
	  command -v $$package >/dev/null && continue; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get -qq update && apt-get -qq install -y --no-install-recommends $$package >/dev/null; \
	  else \
	    echo "$$package is not installed: the tests that compare with it will be skipped" >&2; \
	  fi; \
	done

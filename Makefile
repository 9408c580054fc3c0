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
# Programs and servers that some tests compare or talk with. Where they cannot be installed,
# those tests skip.
DEBIAN_PACKAGES := ffmpeg wordnet-base mosquitto python3-gi gir1.2-gst-rtsp-server-1.0 \
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly

.PHONY: demo test check docs coverage format clean

demo: $(VENV)/.demo
	$(BIN)/scenewise demo

test: $(VENV)/.dev debian
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart=0

coverage: $(VENV)/.dev debian
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart=0 --cov --cov-report term-missing:skip-covered

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
	@missing=; for package in $(DEBIAN_PACKAGES); do \
	  dpkg -s $$package >/dev/null 2>&1 || command -v $$package >/dev/null || \
	    missing="$$missing $$package"; \
	done; \
	test -z "$$missing" && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get -qq update && apt-get -qq install -y --no-install-recommends $$missing >/dev/null; \
	else \
	  echo "not installed:$$missing. The tests that need them will be skipped" >&2; \
	fi

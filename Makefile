# `make demo`, `make demo-sampling` and `make test` each build what they need on a machine with python3, pip and make.
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo demo-sampling test check slow lint bench docs clean

demo: $(VENV)/core  ## S3 beside its baselines in a known world, no key needed; under 4 minutes
	$(VENV)/bin/seedbed compare recipes/demo.yaml --seeds 5 --out runs/demo; code=$$?; test $$code -eq 0 -o $$code -eq 3

demo-sampling: $(VENV)/core  ## which of two language models should write the solutions; no key needed; under 5 minutes
	$(VENV)/bin/seedbed sample plan recipes/word-problems.yaml --out runs/demo-sampling
	$(VENV)/bin/seedbed sample run recipes/word-problems.yaml --out runs/demo-sampling

test: $(VENV)/full  ## the fast tests, a file at a time on each of two cores
	$(PY) -m pytest -n 2 --dist loadfile

check: lint test slow  ## what CI runs

slow: $(VENV)/full  ## slow, server and browser tests
	$(PY) -m pytest -m "slow or server or browser"

lint: $(VENV)/full  ## ruff, mypy --strict, import floors
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/full  ## model calls beside bare aiohttp (and the peers where installed); under 4 minutes
	$(PY) bench/model_calls/run.py --quick

docs: $(VENV)/full  ## write the generated pages and tables again
	$(PY) docs/generate.py

clean:
	rm -rf $(VENV) runs dist

$(VENV)/bin/python:
	python3 -m venv $(VENV)

# The stamps depend on what decides their content, so an edit there installs again.
$(VENV)/core: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/full: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) torch
	$(PIP) --editable '.[torch,hf,prices,test]'
	@touch $(VENV)/core $@

PYTHON ?= python3.11
VENV   ?= .venv
# The extras that tests use; the tests of one that is left out are skipped.
EXTRAS ?= dev,report,neural,distributed,export
# Arguments of release-check, such as --extra report for this extra alone.
TRIED  ?=
BIN     = $(VENV)/bin
PIP     = $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
SOURCES = gbdt_pwiser objectives tuning tests benchmarks docs release
# What the site does with its tutorials: force runs them, off leaves their output out.
TUTORIALS ?= force

.PHONY: demo test lint types docs bench release-check lowest clean

# One stamp per set of extras; an edit of the pins or of pyproject.toml installs again.
$(VENV)/.installed-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[$*]'
	@touch $@

demo: $(VENV)/.installed-report  ## BCE against BCE+PWiseR in both boosters on simulated exposures
	$(BIN)/gbdt-pwiser compare --dataset simulated --model lightgbm --model xgboost --loss bce --loss pwiser \
		--exposures 100000 --ctr 0.08 --cvr 0.1 --accidental-clicks 0.5 \
		--weight 0.01,0.03 --seeds 3 --output demo-output

test: lint types  ## lint, types and every test
	$(BIN)/pytest -n auto --dist worksteal

lint: $(VENV)/.installed-$(EXTRAS)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/lint-imports --no-cache --no-logo

types: $(VENV)/.installed-$(EXTRAS)
	$(BIN)/mypy

docs: $(VENV)/.installed-$(EXTRAS),docs  ## the documentation site, in docs/_build/html; a warning or a failing tutorial is an error
	rm -rf docs/_build docs/reference/api/generated
	TUTORIALS=$(TUTORIALS) $(BIN)/python -m sphinx -b html -W --keep-going -n --quiet docs docs/_build/html

bench: $(VENV)/.installed-$(EXTRAS)  ## times and memory: the objective, training, networks, metrics, preparation, tuning, serving, sets larger than memory, own data, start-up
	$(BIN)/python -m benchmarks.objective
	$(BIN)/python -m benchmarks.objective --threads 1,$$(nproc) --rows 1e6,1e7 --rates .005
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.networks
	$(BIN)/python -m benchmarks.metrics
	$(BIN)/python -m benchmarks.prepare
	$(BIN)/python -m benchmarks.tuning
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.large --rows 500000 --rounds 10
	$(BIN)/python -m benchmarks.own --rows 300000 --rounds 5
	$(BIN)/python -m benchmarks.startup --demo

release-check: $(VENV)/.installed-release  ## build dist/, install the wheel without and with each extra, use it
	$(BIN)/python -m release.check $(TRIED)

lowest: $(VENV)/.installed-release  ## tests on the lowest versions that pyproject.toml allows
	$(BIN)/python -m release.lowest

clean:
	rm -rf $(VENV) demo-output docs/_build docs/reference/api/generated build dist *.egg-info

# Two commands: `make demo` and `make test`. Both set up .venv first, or use the activated conda environment.

PYTHON ?= python3.11

# conda's base environment is nobody's project environment: only another activated one is used
ifneq ($(filter-out base,$(CONDA_DEFAULT_ENV)),)
ENVIRONMENT := $(CONDA_PREFIX)
else
ENVIRONMENT := $(CURDIR)/.venv
endif
RUN := $(ENVIRONMENT)/bin/python
READY := $(ENVIRONMENT)/.fairmot-lab-ready

# the tests start Python some hundred times: what the first one compiles, the others read
unexport PYTHONDONTWRITEBYTECODE

CHECKS := types javascript imports style

# the newest of these that starts
CORE_PYTHON ?= $(shell for one in python3.13 python3.12 python3.11; do $$one --version >/dev/null 2>&1 && echo $$one && break; done)
CORE := $(CURDIR)/.venv-core
PARALLEL := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo test lint $(CHECKS) setup core docs package clean

demo: setup
	$(RUN) -m fairmot_lab demo $(DEMO)

test: lint
	$(RUN) -m pytest $(PARALLEL) --durations 45

# side by side; what a check writes is shown when it ends, where make can do that
lint: setup
	$(MAKE) --jobs --keep-going --no-print-directory $(filter --output-sync,$(.FEATURES:%=--%)) $(CHECKS)

$(CHECKS): setup

style:
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types:
	$(RUN) -m mypy

javascript:
	sh scripts/check_javascript.sh

imports:
	$(ENVIRONMENT)/bin/lint-imports

# the tests in a second environment: without paddle, with the current versions of everything else
core:
	test -x $(CORE)/bin/python || $(CORE_PYTHON) -m venv $(CORE)
	$(CORE)/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager -e '.[test]'
	$(CORE)/bin/python -m pip list
	$(CORE)/bin/python -m pytest $(PARALLEL) --ignore tests/browser

docs: setup
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --quiet
	@echo "open site/index.html"

# wheel and sdist, checked, and installed with current versions where nothing else is
package: setup
	PYTHON=$(RUN) sh scripts/check_package.sh

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(ENVIRONMENT)
	@echo "installing into $(ENVIRONMENT): 3 GB, some minutes without a word"
	$(RUN) -m pip install --quiet -c constraints.txt -e '.[paddle,test]'
	$(RUN) -m pip check
	@echo "compiling the trackers: a minute, once"
	$(RUN) -m fairmot_lab warm-up
	@touch $@

clean:
	rm -rf .venv .venv-core build dist site *.egg-info

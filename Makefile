# Permesso. `make` alone shows what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup run test lint check bench image-test lock fmt clean

VENV := .venv
PY := $(VENV)/bin/python
# A new lock file is a new stamp, however a checkout has set the times of files.
STAMP := $(VENV)/.set-up-$(shell cksum < requirements.lock | tr ' ' -)
CODE := services channels shared sandbox
# Files of tests that run side by side, each process with a PostgreSQL of its own; a server that was
# named is one for all. What is about time, killed processes and ports has the machine to itself.
AT_ONCE := $(if $(PERMESSO_TEST_DATABASE_URL),0,2)
ALONE := tests/failures tests/local/test_up.py

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Set up .venv from the lock (PYTHON=… chooses the interpreter)

run: setup ## Start everything on this machine and show the main job (ARGS="--port 9000")
	@exec $(VENV)/bin/permesso up $(ARGS)

test: setup ## Run every test (ARGS="tests/shared -k brand")
ifdef ARGS
	@$(PY) -m pytest $(ARGS)
else
	@code=0; \
	$(PY) -m pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder \
		$(ALONE:%=--ignore=%) || code=1; \
	$(PY) -m pytest $(ALONE) || code=1; \
	exit $$code
endif

lint: setup
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy --strict $(CODE)
	@$(VENV)/bin/lint-imports

check: lint test ## Check format, lint, types and import contracts, then run every test

bench: setup ## Measure, and write build/bench.json
	@$(PY) -m tests.bench $(ARGS)

image-test: setup ## Build the image and do the main job in containers (root on Debian)
	@tests/containers/install.sh
	@$(PY) -m pytest tests/containers/prove_containers.py $(ARGS)

lock: ## Resolve the dependencies anew (needs uv: python3 -m pip install uv)
	@command -v uv >/dev/null || { echo "uv is missing: python3 -m pip install uv" >&2; exit 1; }
	@uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
		--extra embedded --extra work --no-header --upgrade --quiet \
		pyproject.toml -o requirements.lock
	@# What runs in production: the same versions, fewer packages.
	@uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
		--no-header --no-annotate --quiet --constraints requirements.lock \
		pyproject.toml -o requirements-runtime.lock

fmt: setup ## Format, and repair what can be repaired
	@$(VENV)/bin/ruff check --fix-only .
	@$(VENV)/bin/ruff format .

clean: ## Remove what was built (not .venv, not data)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find $(CODE) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The newest Python that works. A name on the PATH is not enough: pyenv has shims that only
# complain, and Debian has a python3 that cannot make environments.
FIND_PYTHON = \
	works() { "$$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
		>/dev/null 2>&1; }; \
	found=; for each in $(PYTHON) $(if $(PYTHON),,python3.14 python3.13 python3.12 python3.11 python3); do \
		if works "$$each"; then found=$$each; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Permesso needs Python 3.11 to 3.14 with venv, and finds none." >&2; \
		if [ -n "$(PYTHON)" ]; then \
			echo "PYTHON=$(PYTHON) is none, or it has no venv." >&2; \
		elif python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "There is $$(python3 -V), but it cannot make environments:" >&2; \
			echo "  on Debian or Ubuntu: apt-get install python3-venv" >&2; \
		else \
			echo "Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; \
		fi; \
		exit 1; \
	fi

$(STAMP):
	@$(FIND_PYTHON); \
	if ! $(PY) -c '' >/dev/null 2>&1; then \
		echo "Making $(VENV) with $$("$$found" -V) …"; \
		"$$found" -m venv --clear $(VENV); \
	fi
	@echo "Installing the locked packages (once) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.set-up-*
	@touch $@

# What a newcomer types. Each target makes `.venv` itself and installs what it needs into it;
# only `peers` touches the system.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # `make peers test` means peers first
.PHONY: help demo test check bench format peers lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

DEMO_OPTIONS = $(if $(ONCE),--once) $(if $(JSON),--json "$(JSON)") \
	$(if $(STUDIES),--studies "$(STUDIES)") $(if $(FROM),--from "$(FROM)")

demo: $(VENV)/.run-time ## Watch studies travel; ONCE=1 JSON=FILE STUDIES=N FROM=FOLDER
	$(strip $(BIN)/drim-sim demo $(DEMO_OPTIONS))

# Files go side by side, each with servers and ports of its own; a file's tests share theirs.
SIDE_BY_SIDE = --numprocesses=auto --maxprocesses=8 --dist=loadfile

test: check ## Check, then run every test that this machine can run
	$(BIN)/pytest --ignore=tests/architecture $(SIDE_BY_SIDE)

check: $(VENV)/.development ## Format, lint, types, imports, sizes and words
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

bench: $(VENV)/.development ## Measure all beside its peers, for hours; BENCH="publish --rounds 3"
	$(BIN)/python -m benchmarks $(if $(BENCH),$(BENCH),all)

format: $(VENV)/.development ## Write the code as `check` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

peers: ## Install DCMTK, Orthanc, nginx and others that tests meet (root on Debian)
	scripts/install-peers

lock: $(VENV)/.development ## Resolve the dependencies anew into the two locks
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--python-version 3.11 --group build pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--python-version 3.11 --group dev --constraint requirements.lock pyproject.toml \
		--output-file requirements-dev.lock

clean: ## Remove the virtual environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON) here: install Python 3.11 or later." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$$($(PYTHON) --version) is too old: name a Python 3.11 or later, such as" \
			"'make $(MAKECMDGOALS) PYTHON=python3.12'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module: on Debian, 'apt-get install python3-venv' as root." \
			>&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# `--no-deps` and `--no-build-isolation`: nothing comes that the lock does not name by its hash.
$(VENV)/.run-time: requirements.lock pyproject.toml | $(VENV)/.made
	$(PIP) install --require-hashes --requirement requirements.lock
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml | $(VENV)/.made
	$(PIP) install --require-hashes --requirement requirements-dev.lock
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

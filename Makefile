# What a person can do here: `make help`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
# The locks are complete, so --no-deps: pip need not solve what is solved.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --no-strip-extras --python-version 3.11
YEAR ?= 2020
TESTS ?= tests
# One worker more than cores, as many tests wait for servers. A file's tests stay together, as they
# share what is dear to set up. A worker that fell over is a failure; one put in its place would wait
# for ever for the tests of its file.
WORKERS := --numprocesses $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxprocesses 5 \
	--dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with PYTHON=..."; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements/runtime.lock requirements/build.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the lock file names (once, a minute or two) ..."
	@$(INSTALL) -r requirements/build.lock
	@$(INSTALL) -r requirements/runtime.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT): requirements/development.lock $(RUNTIME)
	@echo "Installing what the tests need ..."
	@$(INSTALL) -r requirements/development.lock
	@touch $@

.PHONY: install
install: $(RUNTIME) ## install into .venv what the lock file names

# Exit code 1 says that findings block: in the demo city's 2020 they are meant to.
.PHONY: run
run: $(RUNTIME) ## the main job: pull the demo city's four systems, build the tables of 2020
	@$(BIN)/nianbao nightly --demo
	@$(BIN)/nianbao year-end $(YEAR) || [ $$? -eq 1 ]

.PHONY: serve
serve: $(RUNTIME) ## the operator's page (Prefect UI) with the demo city
	@$(BIN)/nianbao serve --demo

.PHONY: test
test: $(DEVELOPMENT) ## every test that this machine can run (TESTS=tests/unit for some)
	@$(BIN)/python -m pytest $(WORKERS) $(TESTS)

.PHONY: soak
soak: $(DEVELOPMENT) ## hours: kills at random moments and 400 nights (SOAK="--nightly 5 --nights 20" for less)
	@$(BIN)/python -m tests.soak $(SOAK)

.PHONY: lint
lint: $(DEVELOPMENT) ## ruff, import contracts and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

.PHONY: hooks
hooks: $(DEVELOPMENT) ## run the linters before each commit (pre-commit)
	@$(BIN)/pre-commit install

.PHONY: bench
bench: $(DEVELOPMENT) ## measure (×1, ×10), and write docs/benchmarks.json, .md and a chart (DLT_PYTHON=... beside dlt as well)
	@$(BIN)/python -m benchmarks $(if $(DLT_PYTHON),--dlt-python $(DLT_PYTHON))

.PHONY: bench-full
bench-full: $(DEVELOPMENT) ## the same with a hundred times the demo city: an hour, 10 GB of disk
	@$(BIN)/python -m benchmarks --full $(if $(DLT_PYTHON),--dlt-python $(DLT_PYTHON))

.PHONY: lock
lock: $(DEVELOPMENT) ## solve the dependencies anew into requirements/*.lock
	@$(COMPILE) -o requirements/runtime.lock
	@$(COMPILE) --extra storage -c requirements/runtime.lock -o requirements/storage.lock
	@$(COMPILE) --extra redis -c requirements/runtime.lock -o requirements/redis.lock
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --group build -c requirements/runtime.lock -o requirements/build.lock
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--no-strip-extras --python-version 3.11 --group dev -c requirements/runtime.lock -o requirements/development.lock

.PHONY: clean
clean: ## remove the virtual environment (data/ stays)
	@rm -rf $(VENV)

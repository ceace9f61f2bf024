# What a person can do here: `make help`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
# The locks are complete, so --no-deps: pip need not solve what is solved.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --no-strip-extras --python-version 3.11

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

$(RUNTIME): requirements/runtime.lock requirements/build.lock pyproject.toml | $(BIN)/python
	@echo "Installing what the lock file names (once, about a minute) ..."
	@$(INSTALL) -r requirements/build.lock -r requirements/runtime.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT): requirements/development.lock $(RUNTIME)
	@echo "Installing what the tests need ..."
	@$(INSTALL) -r requirements/development.lock
	@touch $@

.PHONY: install
install: $(RUNTIME) ## install into .venv

.PHONY: lock
lock: $(DEVELOPMENT) ## solve the dependencies anew into requirements/*.lock
	$(COMPILE) -o requirements/runtime.lock
	$(COMPILE) --group build -c requirements/runtime.lock -o requirements/build-and-runtime.lock

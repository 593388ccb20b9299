# `make run` and `make test` do all their set-up; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help run demo test lint bench lock install install-dev format

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 14

install:
	@$(PYTHON) freellm_site/bootstrap.py base

install-dev:
	@$(PYTHON) freellm_site/bootstrap.py dev

run: install ## Start FreeLLM on this machine (HOST, PORT, VAR_DIR settable)
	@exec $(BIN)/python -m freellm_site.start

demo: install ## As run, with simulated traffic, so that every chart lives (state in var/demo)
	@VAR_DIR=$${VAR_DIR:-var/demo} exec $(BIN)/python -m freellm_site.start --demo

test: install-dev ## Run every test
	@$(BIN)/python -m tests.browser_setup
	@$(BIN)/python -m pytest -m "not browser" -n 2 --dist loadgroup
	@# Playwright holds an event loop of its own, so the browser's tests have their own process.
	@# One product serves them all, so their order is a fixed one: a failure can be repeated.
	@$(BIN)/python -m pytest -m browser --randomly-seed=3504901169

# Settings want their secrets also where nothing secret is done.
lint: export SECRET_KEY := lint
lint: export FIELD_ENCRYPTION_KEYS := AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
lint: install-dev ## Style, types, imports, templates, migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports
	@$(BIN)/djlint --quiet --lint templates
	@$(BIN)/python manage.py makemigrations --check --dry-run

format: install-dev ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench: install-dev ## Measure the claims (see docs/benchmarks.md)
	@$(BIN)/python -m benchmarks

lock: install-dev ## Renew the hashed requirements from pyproject.toml
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
		--no-header pyproject.toml -o requirements/base.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
		--no-header pyproject.toml --group dev -c requirements/base.txt -o requirements/dev.txt

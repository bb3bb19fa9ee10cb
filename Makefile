# Everything runs in a virtual environment in this checkout; requires Python 3.11 or newer, git and make.
# Use the first interpreter that runs and is new enough (version managers leave shims that do not run).
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Into .venv, by uv where it is installed (it downloads in parallel), else by pip.
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),$(UV) pip install --python $(BIN)/python --quiet,$(BIN)/python -m pip install --quiet --disable-pip-version-check)

.DEFAULT_GOAL := help
.PHONY: help install run test check infra-test deploy-test docs infra-docs settings bench browser secrets images backup restore container-check engine-test requirements clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## Create .venv and install Hazecast

run: $(VENV)/.installed  ## Full pipeline once, then MLflow, API and dashboard (ARGS="--source files --data DIR")
	@$(BIN)/hazecast up $(ARGS)

test: $(VENV)/.installed-dev  ## Run all tests without network (ARGS="-k store" selects)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: $(VENV)/.installed-dev  ## Check format, lint, types and import floors, as in CI
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

infra-test: $(VENV)/.installed-dev  ## Plan, apply, plan again and destroy staging and prod in an emulated AWS (ARGS=staging selects)
	$(BIN)/python tests/infra/cycle.py $(ARGS)

deploy-test: $(VENV)/.installed-dev  ## Test deploy.sh in an emulated AWS, with failures; needs Terraform and aws
	$(BIN)/python -m pytest --timeout=3600 tests/infra $(ARGS)

settings: $(VENV)/.installed  ## Generate .env.example, docs/settings.md and the settings in compose and Terraform
	$(BIN)/python infrastructure/settings.py
	$(BIN)/python infrastructure/terraform/reference.py

docs: $(VENV)/.installed-docs  ## Build the documentation site into build/site; a broken link fails it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

infra-docs:  ## Generate docs/aws/reference.md from the Terraform variables and outputs
	$(PYTHON) infrastructure/terraform/reference.py

bench: $(VENV)/.installed-dev  ## Run the benchmarks
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

browser:  ## Install Debian's Chromium for the browser test (needs root)
	apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium

secrets:  ## Create and distribute the passwords of the compose stack, as its start does (ALERT_WEBHOOK=URL sets the alert receiver)
	@docker compose run --rm -e ALERT_WEBHOOK secrets

images:  ## Build the images of the compose stack
	REVISION=$$(git rev-parse --short HEAD) SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) docker compose build

backup:  ## Save databases, tables and models of the running compose stack to backups/
	@bash infrastructure/containers/backup.sh save

restore:  ## Restore the compose stack from a backup (FROM=backups/...)
	@bash infrastructure/containers/backup.sh load $(FROM)

container-check: $(VENV)/.installed  ## Lint Dockerfiles and compose files, scan built images (hadolint, trivy)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infrastructure/containers/requirements/lint.txt
	@PATH=$(CURDIR)/$(BIN):$$PATH bash infrastructure/containers/check.sh

engine-test: $(VENV)/.installed-dev  ## Test the running compose stack with failures; needs a container engine and root
	@docker info >/dev/null 2>&1 || { echo "no container engine is running: start one and try again"; exit 1; }
	@[ "$$(id -u)" = 0 ] || { echo "the test kills container processes and mounts disks: run it as root"; exit 1; }
	HAZECAST_ENGINE_TEST=1 HAZECAST_LIGHT_TRAINING=true $(BIN)/python -m pytest -v -rP --timeout=3600 tests/containers $(ARGS)

requirements: $(VENV)/.installed-dev  ## Upgrade requirements and pin them by hash
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q pyproject.toml requirements/build.in --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade -o requirements/dev.txt
	$(BIN)/uv pip compile -q pyproject.toml requirements/build.in --extra stack -c requirements/dev.txt --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade -o requirements/runtime.txt
	$(BIN)/uv pip compile -q pyproject.toml requirements/build.in --extra stack --extra mlforecast --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade -o requirements/mlforecast.txt  # a lock of its own: mlforecast needs pandas 2
	$(BIN)/uv pip compile -q pyproject.toml requirements/build.in --extra stack --extra docs -c requirements/dev.txt --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade -o requirements/docs.txt
	@for set in build api dashboard prefect mlflow lint; do \
	  $(BIN)/uv pip compile -q infrastructure/containers/requirements/$$set.in -c requirements/dev.txt --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade -o infrastructure/containers/requirements/$$set.txt || exit 1; done

clean:  ## Remove the virtual environment and caches; HAZECAST_HOME is kept
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Hazecast needs Python 3.11 or newer: install it, or pass PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: requirements/runtime.txt pyproject.toml | $(VENV)/.created
	@echo "installing; this takes a few minutes the first time"
	@# --no-deps: the files list every package, and older versions of pip cannot reconcile "sqlalchemy" with
	@# "sqlalchemy[asyncio]" when they check hashes.
	$(INSTALL) --no-deps --require-hashes -r requirements/runtime.txt
	$(INSTALL) --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	$(INSTALL) --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.installed-docs: requirements/docs.txt $(VENV)/.installed
	$(INSTALL) --no-deps --require-hashes -r requirements/docs.txt
	@touch $@

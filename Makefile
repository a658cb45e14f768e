# Sheen on this machine. `make run` and `make test` install what is missing first.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run check coverage test test-all lint install system package base benchmark clean plan deploy env destroy stage

# CONFIG=/etc/shiny-server/shiny-server.conf serves what this file says, in Shiny Server's place.
run: install
	@exec $(BIN)/sheen local $(if $(CONFIG),--config $(CONFIG))

# Tests run in as many processes as there are cores, each with a local stack of its own; a file's tests run in one of them.
PYTEST = $(BIN)/python -m pytest -n auto --durations=25

test: SYSTEM := --tests
test: install
	$(PYTEST) -m "not image"
	cd client && npm test

# The same at full length and with new seeds, and what takes minutes by itself: the image by a real builder, with apps served from it.
test-all: SYSTEM := --all-tests
test-all: install
	SHEEN_TESTS=all $(PYTEST)
	cd client && npm test

# The tests that need neither R nor a stack.
QUICK = tests/chalicelib tests/workers/relay tests/sheen tests/tasks/packages tests/infra/test_declared.py tests/infra/test_rights.py tests/test_imports_of_tests.py

# For while you work: style, types and the tests that need neither R nor a stack.
check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n auto -q $(QUICK)
	cd client && npm run --silent check && npm test

# The same Python tests, and the branches that they take.
coverage: install
	@rm -rf .build/coverage && mkdir -p .build/coverage
	$(BIN)/python -m coverage run -m pytest -n auto -q $(QUICK)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest --quiet tests/test_untrusted_paths.py tests/test_tree.py tests/test_words.py \
		tests/test_imports_of_tests.py
	$(BIN)/cfn-lint .build/package/sam.json
	$(BIN)/python -m infra.aws.package .build/package-prod prod
	$(BIN)/cfn-lint .build/package-prod/sam.json
	$(BIN)/python -m infra.aws.synth .build/templates
	$(BIN)/cfn-lint .build/templates/*/*.template.json
	$(BIN)/hadolint workers/Dockerfile
	cd client && npm run --silent check

install: system $(VENV)/.installed client/dist/relay.js workers/r/.build/fork.so package

package: .build/package/sam.json

# Debian's packages: R and what Shiny needs, Python, Node and Chromium.
system:
	@infra/local/install.sh $(SYSTEM)

$(VENV)/.installed: requirements.lock pyproject.toml | system
	@echo "Python packages → $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

client/node_modules/.installed: client/package-lock.json client/package.json | system
	@echo "Browser client's packages → client/node_modules"
	@cd client && npm ci --loglevel error --no-audit --no-fund
	@touch $@

client/dist/relay.js: client/node_modules/.installed $(wildcard client/src/*.ts client/*.json client/*.mjs)
	@echo "Browser client → client/dist"
	@cd client && npm run --silent build

# What forks workers from a pre-loaded R. Without it each worker gets a fresh one.
workers/r/.build/fork.so: workers/r/fork.c | system
	@mkdir -p $(@D)
	@gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o $@.new $< && mv $@.new $@

# The Lambdas' packages. They are made anew at each start of a changed tree; this fetches what they import, so that no start needs the network.
.build/package/sam.json: $(VENV)/.installed $(shell find chalice_app -name deployments -prune -o -name __pycache__ -prune -o -type f -print)
	@echo "Lambda packages → .build/package"
	@$(BIN)/python -m infra.local.package .build/package

# AWS. STAGE is a file of infra/aws/stages, without .toml; docs/operator.md says how to begin.
plan deploy destroy: stage install
	@$(BIN)/python -m infra.aws $@ $(STAGE)

env: stage
	@$(BIN)/python -m infra.aws env $(STAGE)

stage:
	@test -n "$(STAGE)" || { echo "say which stage, as in: make $(firstword $(MAKECMDGOALS)) STAGE=prod" >&2; exit 1; }

# Raises the base image of workers/Dockerfile to today's Debian; the next deploy builds the images anew. Needs docker with buildx.
base: install
	@$(BIN)/python -m infra.aws.base

benchmark: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .build client/node_modules client/dist

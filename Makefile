# What a developer does here. `make demo` and `make test` do all of their own set-up.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
SOURCES := backend provider_py lab tests

.PHONY: setup demo demo-down test test-quick soak check format bench generate lock clean doctor

doctor:
	@sh lab/doctor.sh $(PYTHON)

setup: doctor .venv/ready build/terraformrc

# Plain path entries, not an editable install: its import hook would cost 35 ms at every start.
.venv/ready: requirements.lock pyproject.toml
	@echo "setup: Python packages into .venv"
	@$(PYTHON) -m venv .venv 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv .venv; }
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	@printf '%s\n' "$(CURDIR)/backend" "$(CURDIR)/provider_py" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/rpool.pth"
	@$(BIN)/python -m compileall -q .venv/lib backend provider_py
	@touch $@

# Terraform runs the checkout from any folder: TF_CLI_CONFIG_FILE=build/terraformrc terraform plan
build/terraformrc: Makefile
	@mkdir -p build
	@printf 'provider_installation {\n  dev_overrides {\n    "resource-pool/rpool" = "%s/provider_py"\n  }\n  direct {}\n}\n' "$(CURDIR)" > $@

demo: setup
	@$(BIN)/python -m lab demo

demo-down: setup
	@$(BIN)/python -m lab demo-down

# Quick tests first, then what runs on the lab's servers.
test: setup check test-quick
	$(BIN)/python -m lab packages
	$(BIN)/pytest -v tests/lab

test-quick: setup
	$(BIN)/pytest --numprocesses=auto \
	  tests/unit tests/plan tests/contract tests/lab_itself tests/property tests/protocol tests/scenarios tests/fault

# Terraform killed at fifteen points and more, on the lab's servers: up to an hour.
soak: setup
	$(BIN)/python -m lab packages
	$(BIN)/pytest -v -m lab tests/lab/test_killed.py

check: setup
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy backend provider_py lab $(filter-out tests/lab tests/scenarios,$(wildcard tests/*))
	$(BIN)/mypy tests/lab tests/scenarios
	$(BIN)/lint-imports
	git ls-files '*.sh' provider_py/terraform-provider-rpool | xargs shellcheck
	cd ansible && ../$(BIN)/ansible-lint --offline --strict

format: setup
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: setup
	$(BIN)/python -m lab.bench

# The wire's generated half, from proto/; the fleet's schema for editors, from the provider's.
generate: setup
	sh proto/generate.sh
	$(BIN)/python -m rpool_provider.fleet_json_schema > docs/fleet.schema.json

lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --extra dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis

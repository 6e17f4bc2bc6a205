# What a user or a developer does here. Each target does all of its own set-up.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
SOURCES := backend provider_py lab tests

.PHONY: help setup develop demo demo-down test test-quick soak versions planted check audit format bench dist generate lock clean doctor

# The provider and `rpool`, for any user: Python alone is needed.
setup: .venv/ready build/terraformrc ## the provider and rpool for any user, in .venv
	@echo "setup: done. Terraform uses the provider of this checkout, in any folder and without init, after"
	@echo "    export TF_CLI_CONFIG_FILE=$(CURDIR)/build/terraformrc PATH=$(CURDIR)/.venv/bin:\$$PATH"

# Plain path entries, not an editable install: its import hook would cost 35 ms at every start.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "missing: Python 3.11 or newer ($(PYTHON) is not; PYTHON=python3.12 make setup names another)"; exit 1; }
	@echo "setup: Python packages into .venv (a minute or two)"
	@$(PYTHON) -m venv .venv 2>/dev/null || { [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv .venv; } || { \
	  echo "missing: Python's venv module (on Debian and Ubuntu: apt-get install python3-venv)"; exit 1; }
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	@printf '%s\n' "$(CURDIR)/backend" "$(CURDIR)/provider_py" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/rpool.pth"
	@printf '#!%s\nimport sys\n\nfrom rpool.cli.main import main\n\nsys.exit(main())\n' "$(CURDIR)/.venv/bin/python" > $(BIN)/rpool
	@chmod +x $(BIN)/rpool
	@$(BIN)/python -m compileall -q .venv/lib backend provider_py
	@touch $@

# What only developers and the lab need.
develop: doctor .venv/developer build/terraformrc ## what developers and the lab need beside that

.venv/developer: .venv/ready requirements-dev.lock
	@echo "setup: linters, test tools and stubs into .venv (a minute)"
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

doctor: ## what this machine lacks for the lab
	@sh lab/doctor.sh $(PYTHON)

# Terraform runs the checkout from any folder: TF_CLI_CONFIG_FILE=build/terraformrc terraform plan
build/terraformrc: Makefile
	@mkdir -p build
	@printf 'provider_installation {\n  dev_overrides {\n    "resource-pool/rpool" = "%s/provider_py"\n  }\n  direct {}\n}\n' "$(CURDIR)" > $@

demo: doctor .venv/ready build/terraformrc ## a cluster on six servers that boot on this machine
	@$(BIN)/python -m lab demo

demo-down: doctor .venv/ready ## take the demo away
	@$(BIN)/python -m lab demo-down

# Quick tests first, then what runs on the lab's servers.
test: develop check test-quick ## all checks and tests, those on the lab's servers included
	$(BIN)/python -m lab packages
	$(BIN)/pytest -v tests/lab

test-quick: develop ## the tests that need no servers
	$(BIN)/python -m lab terraform
	$(BIN)/pytest --numprocesses=auto \
	  tests/unit tests/plan tests/contract tests/lab_itself tests/property tests/protocol tests/scenarios tests/fault \
	  tests/cuts tests/planted tests/release tests/golden tests/examples tests/hcp

# Thousands of random edits, ten thousand schedules of faults, twenty orders of steps for all that kills an
# operation, every planted bug, every script killed after every line; on the lab's servers Terraform killed at fifteen points and more, members that are
# not well, faults at each stage, an operator that is cut off, runs as in HCP Terraform: up to five hours.
soak: develop planted versions ## everything at length: up to five hours
	cd tests && ../$(BIN)/python -m fault 0-10000 --jobs 2
	for order in $$(seq 20); do \
	  RPOOL_ORDER=$$order $(BIN)/pytest -m in_turn --numprocesses=auto tests/unit || exit 1; \
	done
	$(BIN)/pytest -m soak tests/protocol tests/release
	$(BIN)/pytest -m soak --numprocesses=auto --dist=load tests/cuts
	$(BIN)/python -m lab packages
	$(BIN)/pytest -v -m lab tests/lab/test_killed.py tests/lab/test_repair.py tests/lab/test_faults.py \
	  tests/lab/test_partition.py tests/lab/test_hcp.py

# All that a Terraform is told and does, with each that docs/guides/requirements.md has in its table;
# those that are not there are built first (half an hour).
versions: develop ## the tests of Terraform with each version that is supported
	$(BIN)/python -m lab terraform --every > build/terraforms
	for program in $$(cat build/terraforms); do \
	  RPOOL_TERRAFORM=$$program $(BIN)/pytest --numprocesses=auto \
	    tests/protocol tests/scenarios tests/examples tests/hcp && \
	  RPOOL_TERRAFORM=$$program $(BIN)/pytest -m soak -k 'from_a or signed' tests/release/test_installed.py \
	  || exit 1; \
	done
	$(BIN)/pytest -m soak tests/protocol/test_versions.py

# Bugs that could have been ours, one at a time in a copy of the tree: each is caught by its test.
planted: develop ## bugs that could have been ours, each caught by its test
	$(BIN)/python tests/planted/run.py

check: develop audit ## formatter, linters, types, layers, known vulnerabilities, docs
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy backend provider_py lab $(filter-out tests/lab tests/scenarios,$(wildcard tests/*))
	$(BIN)/mypy tests/lab tests/scenarios
	$(BIN)/lint-imports
	git ls-files '*.sh' provider_py/terraform-provider-rpool | xargs shellcheck
	cd ansible && ../$(BIN)/ansible-lint --offline --strict
	$(BIN)/python -m rpool_docs --check

# Known vulnerabilities of what is locked; without a network it says that it was not done.
audit: develop ## known vulnerabilities of what is locked
	$(BIN)/python -m lab.audit

format: develop ## format the code, and mend what the linter can
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: develop ## the provider measured against a cluster made by hand
	$(BIN)/python -m lab.bench

# The provider as archives that need no Python, and the folders to serve them from, into build/dist
# or OUT; KEY is one of your GPG keyring. On Debian, as any user: docs/releasing.md.
dist: .venv/ready ## the provider as archives, and folders to serve them from
	$(BIN)/python -m rpool_release $(if $(OUT),--out '$(OUT)') $(if $(KEY),--key '$(KEY)')

# The wire's generated half, from proto/; from the provider's schema: the fleet's for editors, and
# the pages of docs/ that have a template in docs/templates/; pictures of a modelled site.
generate: develop ## what is generated: the wire, the reference, the pictures
	sh proto/generate.sh
	$(BIN)/python -m rpool_provider.fleet_json_schema > docs/fleet.schema.json
	$(BIN)/python -m rpool_docs

lock: ## the versions of all packages anew
	$(BIN)/pip install --quiet uv
	for extra in "--output-file requirements.lock" "--extra dev --output-file requirements-dev.lock"; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	    --no-annotate pyproject.toml $$extra || exit 1; \
	done
	$(BIN)/python -m rpool_release --lock

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s  %s\n", $$1, $$2 }' Makefile

clean: ## remove .venv, build and caches
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis

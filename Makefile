# Everything here sets itself up: python3 (3.11 or newer), git and make are all a machine needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
SETUP_INPUTS := requirements/dev.txt pyproject.toml aileron_mcp/pyproject.toml aileron_testing/pyproject.toml \
  aileron_mcp/version.py scripts/bootstrap
LOCK := $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: demo test check lock upgrade release clean

demo: $(READY) ## A real agent in a sandbox, with no account and no key
	@code=0; scripts/ensure-docker || code=$$?; \
	case $$code in \
	  0) $(BIN)/python scripts/demo ;; \
	  3) echo "So this is the story without a sandbox, on the host:"; AILERON_DEMO_ENGINE=no $(BIN)/python scripts/demo ;; \
	  *) exit $$code ;; \
	esac

# Hundreds of processes import the same modules, so each module is compiled once and kept.
test: $(READY) ## Lint, types, import contract, and every test
	@scripts/ensure-tools & tools=$$!; $(MAKE) --no-print-directory check; code=$$?; wait $$tools && exit $$code
	@rm -rf .branches
	@BRANCHES_TO=.branches env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 4 --dist loadscope \
	  --no-loadscope-reorder --durations 10 --durations-min 5 || \
	  { [ $$? -eq 1 ] && env -u PYTHONDONTWRITEBYTECODE $(BIN)/python scripts/again; }
	@$(BIN)/python scripts/branch_floor .branches

check: $(READY) ## Lint, types, import contract
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

lock: $(READY) ## Resolve the dependencies anew
	@$(LOCK) --universal pyproject.toml -o requirements/runtime.txt
	@$(LOCK) --universal pyproject.toml aileron_mcp/pyproject.toml aileron_testing/pyproject.toml requirements/dev.in \
	  -o requirements/dev.txt
	@$(LOCK) --python-platform linux aileron_mcp/pyproject.toml -o sandbox_image/build/server.txt
	@$(LOCK) --universal connectors/python/requirements.in --constraint requirements/dev.txt -o connectors/python/requirements.txt
	@$(LOCK) --python-platform linux sandbox_image/build/npm.in -o sandbox_image/build/npm.txt

upgrade: $(READY) ## Resolve the dependencies anew, in the newest versions that are allowed
	@$(MAKE) --no-print-directory lock LOCK="$(LOCK) --upgrade"

release: $(READY) ## Build the three distributions into dist/, if version, changelog and tag agree
	@$(BIN)/python scripts/release build

clean: ## Remove what was made here
	@rm -rf $(VENV) .branches .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): $(SETUP_INPUTS)
	@PYTHON="$(PYTHON)" scripts/bootstrap $(VENV)

# Everything here sets itself up: python3 (3.11 or newer), git and make are all a machine needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
SETUP_INPUTS := requirements/dev.txt pyproject.toml aileron_mcp/pyproject.toml scripts/bootstrap

.PHONY: demo test check lock clean

demo: $(READY) ## A real agent in a sandbox, with no account and no key
	@code=0; scripts/ensure-docker || code=$$?; \
	case $$code in \
	  0) $(BIN)/python scripts/demo ;; \
	  3) echo "So this is the story without a sandbox, on the host:"; AILERON_DEMO_ENGINE=no $(BIN)/python scripts/demo ;; \
	  *) exit $$code ;; \
	esac

# Hundreds of processes import the same modules, so each module is compiled once and kept.
test: $(READY) check ## Lint, types, import contract, and every test
	@scripts/ensure-chromium
	@scripts/ensure-agents
	@scripts/ensure-docker
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder --durations 10 --durations-min 5

check: $(READY) ## Lint, types, import contract
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

lock: $(READY) ## Resolve the dependencies anew
	@cd requirements && for set in runtime dev; do \
	  ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header $$set.in -o $$set.txt; done
	@cd sandbox_image/build && for set in npm server; do \
	  ../../$(BIN)/uv pip compile --quiet --python-platform linux --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header $$set.in -o $$set.txt; done

clean: ## Remove what was made here
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): $(SETUP_INPUTS)
	@PYTHON="$(PYTHON)" scripts/bootstrap $(VENV)

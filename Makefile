# Everything a newcomer types. `make demo` and `make test` do all the set-up themselves; ARGS="..." passes options on.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
ARGS ?=
export UV_PYTHON_DOWNLOADS := never
# Hundreds of processes start in a check, and each would compile all there is.
unexport PYTHONDONTWRITEBYTECODE
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
BIN := .venv/bin
WORKERS ?= 4
SEEDS ?= 1..2000

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

demo: .venv/ready ## the main job: three storefronts, shoppers, and proof at the end
	@$(BIN)/holdfast demo $(ARGS)

simulate: .venv/ready ## the hub played through storms that seeds draw (ARGS="--seeds 1..20")
	@$(BIN)/holdfast simulate $(ARGS)

bench-core: .venv/ready ## the ledger's speed beside PostgreSQL's own limit (ARGS=--json)
	@$(BIN)/python -P -m bench.core $(ARGS)

bench-dispatch: .venv/ready ## how fast orders are routed over 50 warehouses (ARGS=--json)
	@$(BIN)/python -P -m bench.dispatch $(ARGS)

test: .venv/ready ## all tests, in parallel
	@$(BIN)/python -P -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: .venv/ready ## format, lint, types, imports, tests: what CI runs
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports
	@$(MAKE) -s test
	@$(BIN)/holdfast simulate --seeds 1..100 --all-acts

check-forecast: .venv-forecast/ready ## what needs the forecasting library, in an environment of its own (.venv-forecast)
	@.venv-forecast/bin/mypy core/replenish edge/commands/replenish.py edge/commands/replenish_parts.py
	@.venv-forecast/bin/python -P -m pytest -n 0 tests/unit/test_forecast.py tests/property/test_forecast.py \
		tests/integration/test_forecast.py

forecast: .venv/ready ## the forecasting library, an extra of over 400 MB, into .venv (again when that is set up anew)
	@$(UV) pip install -q --require-hashes --python $(BIN)/python -r requirements-forecast.lock

soak: .venv/ready ## hours of random histories and storms, on all processors (SEEDS=1..2000); not part of `check`
	@status=0; \
	HOLDFAST_SOAK=1 $(BIN)/python -P -m pytest -vv -n auto --dist worksteal --timeout=0 tests/property || status=1; \
	$(BIN)/holdfast simulate --seeds $(SEEDS) --json || status=1; \
	exit $$status

format: .venv/ready ## write the code the way `check` wants it
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: .tools-or-uv ## choose versions again and pin them with hashes
	@$(UV) pip compile --universal --generate-hashes --no-emit-index-url --upgrade --extra dev -q \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@$(UV) pip compile --universal --generate-hashes --no-emit-index-url --upgrade --extra dev --extra forecast -q \
		--custom-compile-command "make lock" -c requirements.lock pyproject.toml -o requirements-forecast.lock

.venv/ready: requirements.lock pyproject.toml | .tools-or-uv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Holdfast needs Python 3.11 or newer; name one with PYTHON=/path/to/python3" >&2; exit 1; }
	@{ test -x $(BIN)/python || $(UV) venv -q --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv; } >&2
	@$(UV) pip sync -q --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock >&2
	@$(UV) pip install -q --no-deps --no-build-isolation --python $(BIN)/python -e . >&2
	@touch $@

.venv-forecast/ready: requirements-forecast.lock pyproject.toml | .tools-or-uv
	@{ test -x .venv-forecast/bin/python || $(UV) venv -q --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv-forecast; } >&2
	@$(UV) pip sync -q --require-hashes --python .venv-forecast/bin/python requirements-forecast.lock >&2
	@$(UV) pip install -q --no-deps --no-build-isolation --python .venv-forecast/bin/python -e . >&2
	@touch $@

.tools-or-uv:
	@command -v $(UV) >/dev/null || { echo "fetching uv into .tools" >&2; $(PYTHON) -m pip install -q --disable-pip-version-check --target .tools uv >&2; }

.PHONY: help demo simulate soak bench-core bench-dispatch test check check-forecast forecast format lock .tools-or-uv

# Every target sets itself up: a Debian machine with Python 3.11 or newer is enough.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help web demo demo-map demo-saga demo-ui screenshots test test-long check format openapi bench clean
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
READY := .venv/.installed
DEMO_READY := .venv/.installed-demo
COMPILED := .venv/.compiled

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

web: $(READY) ## build the dashboard, if it is older than its sources
	@.ci/web

demo: $(READY) $(DEMO_READY) ## run a real market-data workflow, start to end
	@$(PY) examples/us_daily/demo.py

demo-map: $(READY) $(DEMO_READY) ## run a map over every symbol, and retry one of them alone
	@$(PY) examples/us_daily/every_symbol.py

demo-saga: $(READY) $(DEMO_READY) ## restate three symbols, the last of which fails: the table is as before
	@$(PY) examples/us_daily/all_or_nothing.py

demo-ui: $(READY) web ## the dashboard with three weeks of runs to look at
	@$(PY) examples/dashboard/demo.py

test: ## check, then all tests on SQLite, PostgreSQL and MariaDB
	@$(MAKE) -j2 --output-sync=target check web $(COMPILED)
	@$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-long: $(READY) web ## what takes minutes: other versions of the servers, the dashboard on each database, budgets
	@$(PY) -m pytest -m long $(PYTEST_ARGS)

check: $(READY) ## format, lint, types, floors, house rules
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo
	@$(PY) -m pytest -q --no-header tests/test_house.py

format: $(READY) ## repair what the formatter and the linter can repair
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

screenshots: $(READY) web ## take the pictures of the dashboard in docs/images anew
	@PYTHONPATH=. $(PY) docs/images/screenshots.py

openapi: $(READY) ## write docs/openapi.json, which describes the HTTP API
	@$(PY) -c 'from qflowd.api.openapi import description; print(description().decode())' > docs/openapi.json

bench: $(READY) ## measure, on servers with their default durability
	@$(PY) -m bench $(BENCH_ARGS)

clean: ## remove what make made
	@rm -rf .venv .venv.lock build dist web/dist web/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml .ci/venv
	@.ci/venv

# In a fresh checkout each worker would compile every test at the same time as the others. What cannot be read is told by them.
$(COMPILED): $(READY)
	@$(PY) -m pytest -qq --collect-only >/dev/null || true
	@touch $@

# Its dependencies (a plotting library) are not needed: the demo only reads the files.
$(DEMO_READY): $(READY)
	@$(PY) -m pip install -qq --disable-pip-version-check --root-user-action=ignore --no-deps 'bokeh_sampledata>=2026.1'
	@touch $@

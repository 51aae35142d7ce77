"""Alembic's entry."""

from fleet_kit.migrate import run_env
from sim_service.tables import metadata

run_env(metadata)

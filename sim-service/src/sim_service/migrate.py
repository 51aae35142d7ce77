"""`python -m sim_service.migrate`: bring the database to the newest migration."""

from pathlib import Path

from fleet_kit.migrate import upgrade
from sim_service.settings import settings

MIGRATIONS = Path(__file__).parent / "migrations"


if __name__ == "__main__":
    upgrade(MIGRATIONS, settings().database_url.get_secret_value())

"""Bring the database to the newest migration: `python -m signing_service.migrate`."""

from pathlib import Path

from fleet_kit import migrate
from signing_service.settings import settings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    """Migrate the database of the settings."""
    migrate.upgrade(MIGRATIONS, settings().database_url.get_secret_value())


if __name__ == "__main__":
    main()

"""Bring the database to the newest migration: `python -m device_service.migrate`."""

from pathlib import Path

from device_service.settings import settings
from fleet_kit import migrate

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    """Migrate the database of the settings."""
    migrate.upgrade(MIGRATIONS, settings().database_url.get_secret_value())


if __name__ == "__main__":
    main()

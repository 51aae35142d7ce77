"""Make the store's indexes: `python -m monitoring_service.migrate`; run twice, it changes nothing."""

import asyncio
from datetime import timedelta

from monitoring_service.settings import Settings, settings
from monitoring_service.store.client import open_store
from monitoring_service.store.indexes import ensure_indexes


async def migrate(config: Settings) -> None:
    """Make what is missing."""
    store = open_store(config.mongo_url.get_secret_value(), config.mongo_database, timeout_seconds=60)
    await ensure_indexes(
        store,
        live_retention=timedelta(days=config.live_retention_days),
        rejected_retention=timedelta(days=config.rejected_retention_days),
    )
    store.close()


if __name__ == "__main__":
    asyncio.run(migrate(settings()))

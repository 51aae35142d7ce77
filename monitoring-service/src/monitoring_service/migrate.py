"""Make the store's indexes, and bring what is stored up to date: `python -m monitoring_service.migrate`.

Run twice, it changes nothing.
"""

import asyncio
from datetime import timedelta

from monitoring_service.directory.service import list_organizations
from monitoring_service.rejected.service import count_existing
from monitoring_service.settings import Settings, settings
from monitoring_service.store.client import open_store
from monitoring_service.store.indexes import ensure_indexes
from monitoring_service.store.slots import give_slots


async def migrate(config: Settings) -> None:
    """Make what is missing."""
    store = open_store(config.mongo_url.get_secret_value(), config.mongo_database, timeout_seconds=60)
    await ensure_indexes(
        store,
        live_retention=timedelta(days=config.live_retention_days),
        rejected_retention=config.rejected_retention,
    )
    await count_existing(store)
    await give_slots(store.devices, store.latest)
    await list_organizations(store)
    store.close()


if __name__ == "__main__":
    asyncio.run(migrate(settings()))

"""A store that answers and takes no changes."""

from typing import Any

import pymongo
import pytest
from yarl import URL

from fleet_kit.health import Degraded
from monitoring_service.settings import Settings
from monitoring_service.store.client import Store, open_store


async def test_a_store_that_can_be_written_to_is_well_and_keeps_one_document(store: Store) -> None:
    for _ in range(3):
        await store.write_probe()
    assert await store.health.count_documents({}) == 1


async def test_a_store_that_takes_no_changes_is_degraded_though_it_answers(settings: Settings) -> None:
    url = URL(settings.mongo_url.get_secret_value())
    name = f"reader_{settings.mongo_database}"
    with pymongo.MongoClient[dict[str, Any]](str(url)) as client:
        roles = [{"role": "read", "db": settings.mongo_database}]
        client.admin.command({"createUser": name, "pwd": "secret", "roles": roles})
    try:
        store = open_store(str(url.with_user(name).with_password("secret")), settings.mongo_database)
        await store.check()
        with pytest.raises(Degraded, match="cannot be written to"):
            await store.write_probe()
        store.close()
    finally:
        with pymongo.MongoClient[dict[str, Any]](str(url)) as client:
            client.admin.command({"dropUser": name})

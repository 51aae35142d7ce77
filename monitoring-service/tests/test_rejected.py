"""Messages full of what is no reading, or too old, are listed and hold up nobody."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from fleet_contracts.topology import telemetry_key
from fleet_kit.failure_router import Delivery
from monitoring_service.readings.consumers import MAX_LISTED
from monitoring_service.rejected import repository
from monitoring_service.store.client import Store
from monitoring_service.store.inserts import InsertResult, insert_once


async def test_a_thousand_items_that_are_no_readings_are_few_entries_and_cost_nobody_else(
    fleet: Any, message: Any, store: Store
) -> None:
    device, other = await fleet.device(), await fleet.device(uuid4())
    bad = [
        Delivery(orjson.dumps([number, *[0] * 999]), telemetry_key(device), None, {}, 0, datetime.now(UTC))
        for number in range(60)
    ]
    assert not await fleet.store(*bad, message({"metrics": {"a": 1}}, device=other))
    assert await store.readings.count_documents({"device_id": other}) == 1
    rows = [row async for row in store.rejected.find({"device_id": device})]
    assert len(rows) == 60 * (MAX_LISTED + 1)
    more = {row["reason"].split(",")[0] for row in rows if row["index"] == MAX_LISTED}
    assert more == {f"{1000 - MAX_LISTED} more items of this message"}


async def test_entries_are_stored_in_pieces_however_many_there_are(
    fleet: Any, message: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    async def insert(collection: Any, documents: Any, **more: Any) -> InsertResult:
        sizes.append(len(documents))
        return await insert_once(collection, documents, **more)

    monkeypatch.setattr(repository, "insert_once", insert)
    device = await fleet.device()
    old = (datetime.now(UTC) - timedelta(days=200)).isoformat()
    readings = [{"id": f"r{number}", "ts": old, "metrics": {"a": 1}} for number in range(1000)]
    await fleet.store(message(*readings, device=device), message(*readings[:700], device=device))
    assert sum(sizes) >= 1000
    assert max(sizes) <= repository.MAX_INSERT
    assert await store.rejected.count_documents({"device_id": device}) == 1000

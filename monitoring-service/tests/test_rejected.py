"""Messages full of what is no reading, or too old, are listed and hold up nobody."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from fleet_contracts.telemetry import Rejected
from fleet_contracts.topology import telemetry_key
from fleet_kit.failure_router import Delivery
from monitoring_service.readings.consumers import MAX_LISTED
from monitoring_service.rejected import repository
from monitoring_service.rejected.models import RejectedMessage
from monitoring_service.rejected.service import RejectedMessageService
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


async def test_of_readings_that_are_too_old_few_are_entries(fleet: Any, message: Any, store: Store) -> None:
    device, other = await fleet.device(), await fleet.device(uuid4())
    old = (datetime.now(UTC) - timedelta(days=200)).isoformat()
    readings = [{"id": f"r{number}", "ts": old, "metrics": {"a": 1}} for number in range(1000)]
    two = [{"id": f"o{number}", "ts": old, "metrics": {"a": 1}} for number in range(MAX_LISTED + 1)]
    assert not await fleet.store(message(*readings, device=device), message(*two, device=other))
    rows = [row async for row in store.rejected.find({"device_id": device})]
    single = [row for row in rows if "more readings" not in row["reason"]]
    told = sum(int(row["reason"].split()[0]) for row in rows if "more readings" in row["reason"])
    assert len(rows) < 100
    assert len(single) + told == 1000
    assert await store.rejected.count_documents({"device_id": other}) == MAX_LISTED + 1
    assert {row["code"] for row in rows} == {"TS_OUT_OF_RANGE"}


async def test_entries_are_stored_in_pieces_however_many_there_are(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    async def insert(collection: Any, documents: Any, **more: Any) -> InsertResult:
        sizes.append(len(documents))
        return await insert_once(collection, documents, **more)

    monkeypatch.setattr(repository, "insert_once", insert)
    delivery = Delivery(b"", "", None, {}, 0, datetime.now(UTC))
    bad = [Rejected(number, "INVALID_READING", "", "no reading", "0") for number in range(1200)]
    service = RejectedMessageService(store, timedelta(days=90))
    await service.add(RejectedMessage.all_of(delivery, bad))
    assert sum(sizes) == 1200
    assert max(sizes) <= repository.MAX_INSERT
    assert await store.rejected.count_documents({}) == 1200

"""Readings that come with an id which another one had before."""

from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring_service.readings.writer import ReadingWriter
from monitoring_service.store.client import Document, Store
from monitoring_service.store.sequence import StorageSequence


def reading(name: str, value: float = 1, **more: Any) -> dict[str, Any]:
    return {"id": name, "metrics": {"value": value}, **more}


async def test_the_latest_reading_is_one_that_is_stored_whatever_else_came_with_its_id(
    fleet: Any, message: Any
) -> None:
    device, later = await fleet.device(), datetime.now(UTC)
    first = reading("r", 1, ts=(later - timedelta(minutes=1)).isoformat())
    second = reading("r", 2, ts=later.isoformat())
    for one in (first, second):
        await fleet.store(message(one, device=device))
        await fleet.worker.checkpoint.advance()
    assert await fleet.items("/latest") == await fleet.items(f"/data/{device}")


async def test_a_device_that_repeats_a_reading_is_heard_while_others_are_told_what_is_stored(
    store: Store,
) -> None:
    heard, told = list[Document](), list[Document]()
    writer = ReadingWriter(store, StorageSequence(store), (told.extend,), on_arrival=(heard.extend,))
    received = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(2)]
    now = datetime.now(UTC)
    for hour, moment in enumerate(received):
        own = {"_id": "r", "organization_id": "o", "metrics": {"hour": hour}}
        await writer.put([own | {"ts": now, "received_at": moment}])
    assert [document["received_at"] for document in heard] == received
    assert [document["metrics"] for document in told] == [{"hour": 0}, {"hour": 0}]


async def test_the_same_id_of_two_devices_is_two_readings(fleet: Any, message: Any, store: Store) -> None:
    one, two = await fleet.device(), await fleet.device()
    await fleet.store(message(reading("same"), device=one), message(reading("same"), device=two))
    assert await store.readings.count_documents({}) == 2

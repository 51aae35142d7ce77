"""What fails for one does not hold what is to be done for all others."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pymongo.errors import OperationFailure

from fleet_kit.scope import EVERYTHING
from monitoring_service.latest.repository import LatestRepository
from monitoring_service.readings.checkpoint import ProjectionCheckpoint
from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.readings.retention import Retention
from monitoring_service.store.client import Store
from monitoring_service.store.indexes import HOURLY_BY_HOUR
from monitoring_service.store.sequence import Block, StorageSequence

from .counting_reads import record_sizes

NOW = datetime.now(UTC).replace(microsecond=0)


async def test_a_newest_reading_that_the_store_refuses_holds_no_other(store: Store) -> None:
    def newest(device: str, value: Any) -> dict[str, Any]:
        return {"device_id": device, "ts": NOW, "seq": 1, "metrics": {"value": value}}

    readings = [newest(str(number), 2**70 if number == 3 else number) for number in range(8)]
    await LatestRepository(store, EVERYTHING).apply([(one, NOW) for one in readings])
    assert await store.latest.distinct("_id") == [str(number) for number in range(8) if number != 3]


async def test_a_projection_that_fails_holds_no_other(fleet: Any, store: Store) -> None:
    flushed: list[str] = []

    async def failing() -> None:
        raise OperationFailure("latest cannot be written")

    async def presence() -> None:
        flushed.append("presence")

    writer = fleet.worker.consumers["consume telemetry"].handler._writer
    checkpoint = ProjectionCheckpoint(store, fleet.worker.sequence, writer, (), (failing, presence))
    await fleet.readings(await fleet.device(), 1)
    with pytest.raises(OperationFailure):
        await checkpoint.advance()
    assert flushed == ["presence"]
    assert await store.workers.find_one({}) is None, "the note stays behind"


async def test_an_hour_that_cannot_be_deleted_holds_no_other(
    fleet: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, delete = uuid4(), ReadingRepository.delete_minutes
    for owner in (fleet.organization, other):
        hour = {"_id": f"{owner}:1000", "organization_id": str(owner), "hour": 1000, "minutes": {"5": 3}}
        await store.hourly.insert_one(hour)
    broken = str(fleet.organization)

    async def failing(self: ReadingRepository, organization_id: str, *rest: Any) -> int:
        if organization_id == broken:
            raise OperationFailure("takes too long")
        return await delete(self, organization_id, *rest)

    monkeypatch.setattr(ReadingRepository, "delete_minutes", failing)
    with pytest.raises(OperationFailure):
        await Retention(store, timedelta(days=1)).sweep()
    assert await store.hourly.distinct("organization_id") == [broken]
    monkeypatch.undo()
    await Retention(store, timedelta(days=1)).sweep()
    assert await store.hourly.count_documents({}) == 0


async def test_hours_are_deleted_a_bounded_number_at_a_time_and_those_that_fail_tried_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a standstill, with more of one hour than are read at a time."""
    monkeypatch.setattr("monitoring_service.readings.retention.MOST_ROWS", 3)
    plan = await store.hourly.find({"hour": {"$gte": 0, "$lt": 9}}).sort(HOURLY_BY_HOUR).explain()
    assert "IXSCAN" in str(plan["queryPlanner"]["winningPlan"])
    broken, tried = [f"b{number}" for number in range(7)], list[str]()
    owners = [*broken, *(f"f{number}" for number in range(5)), *(f"a{number}" for number in range(2))]
    await store.hourly.insert_many(
        {"_id": f"{owner}:{hour}", "organization_id": owner, "hour": hour, "minutes": {"5": 3}}
        for owner in owners
        for hour in (1000, 1001, 1002)
    )

    async def delete(self: ReadingRepository, organization_id: str, *rest: Any) -> int:
        tried.append(organization_id)
        if organization_id in broken:
            raise OperationFailure("takes too long")
        return 3

    monkeypatch.setattr(ReadingRepository, "delete_minutes", delete)
    sizes = record_sizes(monkeypatch)
    with pytest.raises(OperationFailure):
        await Retention(store, timedelta(days=1)).sweep()
    assert sorted(tried) == sorted(owners * 3)
    assert await store.hourly.distinct("organization_id") == broken
    assert max(sizes) == 3


async def test_a_block_of_a_dead_worker_that_cannot_be_counted_holds_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence, settled = StorageSequence(store), list[int]()
    blocks = [await sequence.begin(3, ["o"]) for _ in range(3)]
    expired = datetime.now(UTC) - timedelta(hours=1)
    await store.sequence.update_many({}, {"$set": {f"blocks.{number}.until": expired for number in range(3)}})

    async def settle(self: StorageSequence, block: Block, now: datetime) -> bool:
        await asyncio.sleep(0)
        if block.start == blocks[0].start:
            raise OperationFailure("takes too long")
        settled.append(block.start)
        return True

    monkeypatch.setattr(StorageSequence, "settle", settle)
    with pytest.raises(OperationFailure):
        await sequence.settle_expired()
    assert sorted(settled) == [block.start for block in blocks[1:]]


async def test_counts_move_in_parts(fleet: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring_service.store.counts._FOLDED", 2)
    minutes: Sequence[int] = range(1000, 1007)
    await store.sequence.update_one(
        {"_id": "sequence"},
        {"$set": {"last": 2000 * 60_000_000, **{f"recent.o.{minute}": 1 for minute in minutes}}},
        upsert=True,
    )
    assert await fleet.worker.counts.fold() == 7
    assert await fleet.worker.counts.by_minute(["o"], 0) == dict.fromkeys(minutes, 1)

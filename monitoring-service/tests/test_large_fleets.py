"""What a list or a figure reads of the store with thousands of devices and messages."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from fleet_kit.scope import EVERYTHING, Scope
from fleet_kit.testing import eventually
from monitoring_service.directory.repository import DirectoryRepository
from monitoring_service.latest.repository import LatestRepository
from monitoring_service.readings import consumers
from monitoring_service.readings.models import TimeRange
from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.rejected.repository import RejectedRepository
from monitoring_service.rejected.service import count_existing
from monitoring_service.store.client import Store
from monitoring_service.store.reads import PIECE
from monitoring_service.store.slots import give_slots, slot_of, slot_windows
from monitoring_service.store.windows import MINUTE_MS, CountedMinutes

from .counting_reads import CountingReads

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW.replace(minute=0, second=0) - timedelta(hours=3)
MONTH = timedelta(days=30)


@pytest.fixture
def many_devices(store: Store) -> Callable[[Any, int], Any]:
    """Devices of the organisation that reported once, as they are stored."""

    async def make(organization: Any, number: int) -> None:
        ids = [str(uuid4()) for _ in range(number)]
        common = {"organization_id": str(organization), "ts": NOW, "received_at": datetime.now(UTC)}
        await store.devices.insert_many(
            {"_id": one, "organization_id": str(organization), "slot": slot_of(one), "deleted": False}
            for one in ids
        )
        await store.latest.insert_many(
            {"_id": one, "device_id": one, "slot": slot_of(one), "id": "r", "metrics": {"a": 1}} | common
            for one in ids
        )

    return make


async def test_a_page_of_the_latest_readings_reads_no_more_with_thousands_of_devices(
    fleet: Any, store: Store, many_devices: Any
) -> None:
    await many_devices(fleet.organization, 3000)
    await many_devices(uuid4(), 500)
    reads = CountingReads()
    first = await LatestRepository(store, Scope(fleet.organization), reads).page(None, 51)
    assert len(first.rows) == 51
    assert sum(reads.sizes) < 500, reads.sizes
    everything = [item["device_id"] for item in await fleet.all_items("/latest", page_size=200)]
    assert len(everything) == len(set(everything)) == 3000


async def test_figures_of_thousands_of_devices_are_counted_in_pieces_by_an_index(
    fleet: Any, store: Store, many_devices: Any
) -> None:
    await many_devices(fleet.organization, 2000)
    figures = (await fleet.get("/stats")).json()
    assert (figures["devices"], figures["online"]) == (2000, 2000)
    scope, reads = Scope(fleet.organization), CountingReads()
    directory, latest = DirectoryRepository(store, scope, reads), LatestRepository(store, scope, reads)
    windows = slot_windows(0, PIECE)
    while (piece := windows.next()) is not None:
        windows.found((await directory.in_slots(*piece))[1])
        await latest.heard(*piece, NOW)
    assert max(reads.sizes) < 4 * PIECE
    for organization in ({}, {"organization_id": str(fleet.organization)}):
        query = {"slot": {"$gte": 0, "$lt": 10**9}, **organization}
        for collection in (store.devices, store.latest):
            plan = await collection.find(query).explain()
            assert "IXSCAN" in str(plan["queryPlanner"]["winningPlan"]), query


async def test_rejected_messages_of_a_device_are_read_without_those_of_others_and_in_pieces(
    fleet: Any, store: Store, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "MAX_LISTED", 1000)
    quiet, loud = await fleet.device(), await fleet.device()
    await fleet.store(message({"id": "mine", "metrics": {}}, device=quiet))
    for number in range(3):
        bad = ({"id": f"{number}-{one}", "metrics": {}} for one in range(1000))
        await fleet.store(message(*bad, device=loud))
    scope, reads = Scope(fleet.organization), CountingReads()
    rejected = RejectedRepository(store, scope, MONTH, reads)
    assert [row["reading_id"] for row in (await rejected.page(quiet, None, 10)).rows] == ["mine"]
    hours = await store.rejected_hourly.count_documents({})
    assert sum(reads.sizes) <= 1 + hours
    assert await rejected.count() == 3001
    for query in ({"device_id": quiet}, {"organization_id": str(fleet.organization)}, {}):
        plan = await store.rejected.find({**query, "received_at": {"$gte": START, "$lt": NOW}}).explain()
        assert "IXSCAN" in str(plan["queryPlanner"]["winningPlan"]), query


async def test_a_redelivered_message_is_counted_once(fleet: Any, store: Store, message: Any) -> None:
    device = await fleet.device()
    bad = message({"id": "a", "metrics": {}}, {"id": "b", "metrics": {}}, device=device)
    for _ in range(3):
        await fleet.store(bad)
    hours = [row async for row in store.rejected_hourly.find({})]
    assert sum(sum(row["minutes"].values()) for row in hours) == 2
    assert (await fleet.get("/rejected")).json()["total"] == 2


async def test_what_an_earlier_version_stored_is_brought_up_to_date(
    fleet: Any, store: Store, message: Any
) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, start=START)
    await fleet.store(message({"metrics": {}}, device=device))
    await fleet.worker.checkpoint.advance()
    await store.rejected_hourly.delete_many({})
    await store.migrations.delete_many({})
    for collection in (store.devices, store.latest):
        await collection.update_many({}, {"$unset": {"slot": "", "oldest_ts": ""}})
    for _ in range(2):
        await count_existing(store)
        await give_slots(store.devices)
        await give_slots(store.latest)
    assert [item["device_id"] for item in await fleet.items("/latest")] == [device]
    assert (await fleet.get("/stats")).json()["rejected"] == 1
    assert (await fleet.get("/stats")).json()["devices"] == 1
    older = {"id": "older", "ts": (START - timedelta(days=3)).isoformat(), "metrics": {"value": 5}}
    await fleet.store(message(older, device=device))
    await fleet.worker.checkpoint.advance()
    assert [item["id"] for item in await fleet.all_items(f"/data/{device}", order="asc")] == ["older", "r0"]


async def test_what_was_counted_before_a_crash_or_meanwhile_does_not_end_the_counting(
    fleet: Any, store: Store, message: Any
) -> None:
    device = await fleet.device()
    await fleet.store(message({"metrics": {}}, {"id": "b", "metrics": {}}, device=device))
    await store.rejected_hourly.delete_many({})
    await store.migrations.delete_many({})
    await fleet.store(message({"id": "later", "metrics": {}}, device=device))
    for _ in range(2):
        await count_existing(store)
        await store.migrations.delete_many({})
    hours = [row async for row in store.rejected_hourly.find({})]
    assert sum(sum(row["minutes"].values()) for row in hours) == 3


async def test_what_a_worker_of_an_earlier_version_writes_later_gets_its_slot_from_the_running_one(
    fleet: Any, store: Store
) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, start=START)
    await fleet.worker.checkpoint.advance()
    await store.latest.update_many({}, {"$unset": {"slot": ""}})
    assert await fleet.items("/latest") == []
    job = asyncio.create_task(fleet.worker.jobs()["slots"]())

    async def listed() -> bool:
        return [item["device_id"] for item in await fleet.items("/latest")] == [device]

    await eventually(listed)
    job.cancel()


async def test_the_oldest_reading_of_a_device_is_known_whatever_comes_when(
    fleet: Any, store: Store, message: Any
) -> None:
    device = await fleet.device()
    moments = [START, START - timedelta(days=20), START + timedelta(hours=1)]
    for number, moment in enumerate(moments):
        reading = {"id": str(number), "ts": moment.isoformat(), "metrics": {"a": number}}
        await fleet.store(message(reading, device=device))
        await fleet.worker.checkpoint.advance()
    kept = await store.latest.find_one({"_id": device})
    assert kept is not None
    assert (kept["oldest_ts"], kept["ts"]) == (moments[1], moments[2])
    assert [item["id"] for item in await fleet.items(f"/data/{device}", order="asc", page_size=1)] == ["1"]
    buckets = await fleet.all_items(f"/data/{device}", interval="1h", agg="count")
    assert sum(bucket["count"] for bucket in buckets) == 3


async def test_a_gap_of_weeks_costs_few_reads(fleet: Any, store: Store) -> None:
    device, reads = await fleet.device(), CountingReads()
    await fleet.readings(device, *range(50), start=START)
    readings = ReadingRepository(store, reads)
    span = TimeRange(_ms(NOW - timedelta(days=80)), _ms(NOW))
    lead = _ms(START) - span.start
    found = await readings.of_device(device, span, metrics=[], backwards=False, limit=10, lead=lead)
    assert len(found.rows) == 10
    assert len(reads.sizes) <= 4


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_counted_pieces_leave_nothing_out_and_are_small_where_much_is_expected() -> None:
    base = 1_000_000
    counts = {base + 5: 10, base + 6: 90, base + 7: 5000, base + 9: 3, base + 4000: 100}
    start, end = base * MINUTE_MS + 17, (base + 5000) * MINUTE_MS + 5
    walk = CountedMinutes(counts, start, end, aim=100)
    pieces: list[tuple[int, int]] = []
    while (piece := walk.next()) is not None:
        pieces.append(piece)
        low, high = piece
        dense = max(low, (base + 7) * MINUTE_MS), min(high, (base + 8) * MINUTE_MS)
        share = max(0, dense[1] - dense[0]) / MINUTE_MS
        assert share * 5000 < 210, piece
        walk.found(round(share * 5000))
    assert pieces[0][1] == end
    assert pieces[-1][0] == start
    assert all(one[0] == following[1] for one, following in pairwise(pieces))


async def test_the_platform_administrator_is_bounded_too(fleet: Any, store: Store, many_devices: Any) -> None:
    await many_devices(uuid4(), 1000)
    reads = CountingReads()
    assert len((await LatestRepository(store, EVERYTHING, reads).page(None, 51)).rows) == 51
    assert sum(reads.sizes) < 500

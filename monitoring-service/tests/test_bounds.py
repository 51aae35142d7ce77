"""What one request, one job and one client may cost, however much is stored."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from fleet_kit.failure_router import Delivery
from fleet_kit.scope import EVERYTHING, Scope
from monitoring_service.live.repository import FeedRepository
from monitoring_service.readings import repository
from monitoring_service.readings.models import TimeRange
from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.readings.retention import Retention
from monitoring_service.rejected.repository import RECEIVED, RejectedRepository
from monitoring_service.store.client import Collection, Document, Store
from monitoring_service.store.sequence import MINUTE, StorageSequence
from monitoring_service.store.windows import FilledMinutes, Windows

NOW = datetime.now(UTC).replace(microsecond=0)
MONTH = timedelta(days=30)


class Recorder:
    """A collection that remembers what it was asked."""

    def __init__(self, collection: Collection) -> None:
        self._collection, self.filters = collection, list[Document]()

    def find(self, query: Document, *rest: Any) -> Any:
        self.filters.append(query)
        return self._collection.find(query, *rest)

    async def assert_indexed(self) -> None:
        assert self.filters
        for query in self.filters:
            plan = await self._collection.find(query).explain()
            assert "IXSCAN" in str(plan["queryPlanner"]["winningPlan"]), query


def millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


async def test_every_query_of_readings_and_events_rides_an_index(fleet: Any, store: Store) -> None:
    device = await fleet.device()
    await fleet.readings(device, *range(20))
    both = [str(fleet.organization), str(uuid4())]
    feed = FeedRepository(store)
    readings: Any = feed._readings._repository
    events: Any = feed
    readings._readings, events._events = Recorder(store.readings), Recorder(store.events)
    span = TimeRange(millis(NOW - timedelta(days=1)), millis(NOW + timedelta(days=1)))
    since = (millis(NOW), f"{device}:r1", 1)
    for backwards in (True, False):
        for metrics in ([], ["value"], ["value", "other"]):
            await readings.of_device(device, span, metrics=metrics, backwards=backwards, limit=5, since=since)
    snapshot = await StorageSequence(store).snapshot()
    await readings.of_organizations(both, 0, snapshot.stable + 1, span=span, metrics=["value"], limit=5)
    for names in (both, [*both, *(str(uuid4()) for _ in range(50))]):
        for seconds in (3600, 1):
            assert [page async for page in feed.after(names, snapshot.stable - seconds * 1_000_000, snapshot)]
    await readings._readings.assert_indexed()
    await events._events.assert_indexed()


@pytest.mark.parametrize("backwards", [False, True])
async def test_what_was_sent_in_seconds_is_not_read_all_at_once(
    fleet: Any, store: Store, backwards: bool
) -> None:
    """The store sorts all that a query matches, and others wait meanwhile."""
    device = await fleet.device()
    await fleet.readings(device, *range(1000), start=NOW, step=0.01)
    readings: Any = ReadingRepository(store)
    readings._readings = Recorder(store.readings)
    day, seconds = 24 * 60 * 60_000, 10_000
    span = TimeRange(millis(NOW) - day, millis(NOW) + seconds + day)
    found = await readings.of_device(
        device, span, metrics=["value"], backwards=backwards, limit=1000, lead=day
    )
    assert len(found.rows) == 1000
    matched = [await store.readings.count_documents(query) for query in readings._readings.filters]
    assert max(matched) < 400


async def test_every_query_of_rejected_messages_rides_an_index(
    fleet: Any, store: Store, message: Any
) -> None:
    device = await fleet.device()
    await fleet.store(message(*({"metrics": {}} for _ in range(5)), device=device))
    rejected: Any = RejectedRepository(store, Scope(fleet.organization), MONTH)
    rejected._collection = Recorder(store.rejected)
    for device_id in (device, None):
        first = (await rejected.page(device_id, None, 2)).rows
        await rejected.page(device_id, RECEIVED.position(first[-1]), 2)
    assert await rejected.count() == 5
    everyones: Any = RejectedRepository(store, EVERYTHING, MONTH)
    everyones._collection = Recorder(store.rejected)
    await everyones.page(None, None, 2)
    for repository_ in (rejected, everyones):
        await repository_._collection.assert_indexed()


def walked(walk: FilledMinutes | Windows) -> list[tuple[int, int]]:
    pieces = []
    while (piece := walk.next()) is not None:
        pieces.append(piece)
        walk.found(random.choice([0, 1, 5, 500]))
    return pieces


@pytest.mark.parametrize("backwards", [False, True])
def test_pieces_cover_every_filled_minute_once_and_skip_the_empty_ones(backwards: bool) -> None:
    minutes = {3: 10, 4: 5000, 9: 1, 5000: 700}
    start, end = 3 * MINUTE + 17, 5000 * MINUTE + 2_000_000
    pieces = walked(FilledMinutes(minutes, start, end, aim=100, backwards=backwards))
    ordered = sorted(pieces)
    assert ordered == (pieces[::-1] if backwards else pieces)
    assert all(one[1] <= other[0] for one, other in pairwise(ordered))
    assert ordered[0][0] == start
    assert ordered[-1][1] == end
    inside = sum(high - low for low, high in ordered)
    assert inside == (end - 5000 * MINUTE) + 3 * MINUTE - 17 + 2 * 10_000  # two spills beyond a filled minute
    for minute in minutes:
        probe = max(start, minute * MINUTE + 1_000_000)
        assert any(low <= probe < high for low, high in ordered)


async def test_downsampling_adds_up_pieces_of_one_interval(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "_FIRST_MS", 7_000)
    monkeypatch.setattr("monitoring_service.readings.service.PIECE", 3)
    device = await fleet.device()
    start = NOW.replace(minute=0, second=0) - timedelta(hours=2)
    values = [random.uniform(-10, 10) for _ in range(90)]
    await fleet.readings(device, *values, start=start)
    query = {"from": start.isoformat(), "to": (start + timedelta(minutes=3)).isoformat(), "interval": "1m"}
    for agg, expected in (
        ("avg", lambda part: sum(part) / len(part)),
        ("min", min),
        ("max", max),
        ("sum", sum),
    ):
        rows = await fleet.items(f"/data/{device}", agg=agg, **query)
        assert [row["count"] for row in rows] == [60, 30]
        for row, part in zip(rows, (values[:60], values[60:]), strict=True):
            assert row["metrics"]["value"] == pytest.approx(expected(part))


async def pages(fleet: Any, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    while True:
        answer = (await fleet.get(path, **query, **({"cursor": cursor} if cursor else {}))).json()
        found.append(answer["items"])
        cursor = answer["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_rare_metric_is_found_in_requests_of_bounded_size(
    fleet: Any, message: Any, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(fleet.settings, "query_readings", 60)
    monkeypatch.setattr(repository, "_FIRST_MS", 20_000)
    device, start = await fleet.device(), NOW - timedelta(minutes=10)
    await fleet.readings(device, *range(300), start=start)
    for number, second in enumerate((5, 290)):
        ts = (start + timedelta(seconds=second)).isoformat()
        await fleet.store(message({"id": f"rare{number}", "ts": ts, "metrics": {"rare": 1}}, device=device))
    await fleet.worker.checkpoint.advance()
    query = {"metric": "rare", "from": start.isoformat(), "to": NOW.isoformat()}
    found = await pages(fleet, f"/data/{device}", order=order, page_size=10, **query)
    ids = [item["id"] for page in found for item in page]
    assert ids == (["rare0", "rare1"] if order == "asc" else ["rare1", "rare0"])
    assert len(found) > 1
    assert {item["id"] for page in await pages(fleet, "/data", **query) for item in page} == set(ids)
    buckets = await pages(fleet, f"/data/{device}", interval="5s", agg="count", **query)
    assert [row["metrics"] for page in buckets for row in page] == [{"rare": 1}, {"rare": 1}]


async def test_retention_deletes_a_full_hour_in_small_steps(
    fleet: Any, store: Store, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "_DELETE", 10)
    device, steps = await fleet.device(), []
    await fleet.readings(device, *range(100))
    minute = (await StorageSequence(store).snapshot()).last // MINUTE
    document = {"minutes": {str(minute % 60): 100}, "organization_id": str(fleet.organization)}
    await store.hourly.insert_one({"_id": "old", "hour": minute // 60, **document})
    retention = Retention(store, timedelta(hours=-2))
    delete = retention._readings._readings.delete_many

    class Counting:
        async def delete_many(self, query: Document) -> Any:
            result = await delete(query)
            steps.append(result.deleted_count)
            return result

    monkeypatch.setattr(retention._readings, "_readings", Counting())
    assert await retention.sweep() == 100
    assert await store.hourly.count_documents({}) == 0
    assert len(steps) > 1


async def test_rejected_messages_of_one_device_come_in_pages_without_gap_or_repetition(
    fleet: Any, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring_service.rejected.repository.PIECE", 3)
    one, other = await fleet.device(), await fleet.device()
    for number in range(4):
        bad = [{"id": f"{number}-{place}", "metrics": {}} for place in range(3)]
        await fleet.store(
            message(*bad, device=one), message({"metrics": {}, "id": str(number)}, device=other)
        )
    found = await pages(fleet, "/rejected", device_id=one, page_size=5)
    ids = [item["reading_id"] for page in found for item in page]
    assert len(ids) == 12
    assert set(ids) == {f"{number}-{place}" for number in range(4) for place in range(3)}


async def test_the_latest_of_a_deleted_device_counts_no_longer(fleet: Any, events: Any) -> None:
    gone, here = await fleet.device(), await fleet.device()
    await fleet.readings(gone, 1)
    await fleet.readings(here, 1)
    await fleet.worker.checkpoint.advance()
    await fleet.tell(events.deleted(UUID(gone), fleet.organization))
    figures = (await fleet.get("/stats")).json()
    assert (figures["devices"], figures["online"]) == (1, 1)
    assert [item["device_id"] for item in await fleet.items("/latest", device_id=[gone, here])] == [here]


async def test_a_repository_without_a_scope_sees_what_belongs_to_nobody(fleet: Any, store: Store) -> None:
    assert not await fleet.store(Delivery(b"{}", "devices.nobody.telemetry", None, {}, 0, datetime.now(UTC)))
    everyones = await RejectedRepository(store, EVERYTHING, MONTH).page(None, None, 5)
    assert [row["code"] for row in everyones.rows] == ["INVALID_DEVICE_ID"]
    assert await fleet.items("/rejected") == []


async def test_a_reading_repository_finds_the_newest_after_a_long_silence_at_once(
    fleet: Any, store: Store
) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, 2, start=NOW - timedelta(days=80))
    found = await ReadingRepository(store).of_device(
        device,
        TimeRange(millis(NOW - timedelta(days=90)), millis(NOW)),
        metrics=[],
        backwards=True,
        limit=10,
    )
    assert [row["id"] for row in found.rows] == ["r1", "r0"]

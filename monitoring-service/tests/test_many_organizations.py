"""Who sees all of a thousand organisations asks the store for those that are active."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from fleet_kit.testing import eventually
from monitoring_service.live.repository import FeedRepository
from monitoring_service.readings.models import TimeRange
from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.store.client import Document, Store
from monitoring_service.store.counts import FEW, Counts
from monitoring_service.store.reads import PlainReads
from monitoring_service.store.sequence import MINUTE, Snapshot, StorageSequence

from .test_bounds import NOW, millis

FEW_QUERIES = 20
SPAN = TimeRange(millis(NOW - timedelta(days=1)), millis(NOW + timedelta(days=1)))


class CountedReads(PlainReads):
    """Reads, and how many they were."""

    def __init__(self) -> None:
        self.count = 0

    async def rows(self, query: Any, most: int) -> list[Document]:
        self.count += 1
        return await super().rows(query, most)


@pytest.fixture
def names(fleet: Any) -> list[str]:
    return [*(str(uuid4()) for _ in range(1000)), str(fleet.organization)]


@pytest.fixture(params=["recent", "moved"])
async def snapshot(request: pytest.FixtureRequest, fleet: Any, store: Store) -> Snapshot:
    """With twenty readings; their counts are still in the sequence's document, or were moved."""
    await fleet.readings(await fleet.device(), *range(20))
    sequence = StorageSequence(store)
    if request.param == "moved":
        last = (await sequence.snapshot()).last
        await store.sequence.update_one({"_id": "sequence"}, {"$set": {"last": last + 2 * MINUTE}})
        assert await Counts(store, sequence).fold() == 1
    return await sequence.snapshot()


@pytest.mark.parametrize("minutes", [0.05, 3, 600])
async def test_a_live_feed_of_all_costs_few_queries(
    store: Store, names: list[str], snapshot: Snapshot, minutes: float
) -> None:
    reads = CountedReads()
    stored = [row["seq"] async for row in store.readings.find({}).sort("seq", 1)]
    since = stored[0] - int(minutes * MINUTE)
    pages = FeedRepository(store, reads).after(names, since, snapshot)
    fed = [row async for page in pages for row in page]
    assert [row["seq"] for row in fed if "metrics" in row] == stored
    assert [row for row in fed if "metrics" not in row], "the device's event"
    assert reads.count < FEW_QUERIES


async def test_a_list_of_all_costs_few_queries(store: Store, names: list[str], snapshot: Snapshot) -> None:
    reads = CountedReads()
    repository = ReadingRepository(store, reads)
    found = await repository.of_organizations(names, 0, None, span=SPAN, metrics=[], limit=20)
    assert len(found.rows) == 20
    assert reads.count < FEW_QUERIES


async def test_totals_of_all_cost_few_queries_once_the_older_ones_are_known(
    store: Store, names: list[str], snapshot: Snapshot
) -> None:
    reads, counts = CountedReads(), Counts(store, StorageSequence(store))
    assert await counts.total(names) == (20, 20)
    assert await counts.total(names, reads) == (20, 20)
    assert reads.count < FEW_QUERIES


async def test_the_counts_of_all_are_read_an_hour_at_a_time(store: Store) -> None:
    names = [str(uuid4()) for _ in range(FEW + 5)]
    hours = [
        {"_id": f"{name}:{hour}", "organization_id": name, "hour": hour, "minutes": {"5": 1}}
        for name in names
        for hour in (10, 11, 300)
    ]
    await store.hourly.insert_many(hours)
    counts = await Counts(store, StorageSequence(store)).by_minute(names, 0, until=500 * 60)
    assert counts == {hour * 60 + 5: len(names) for hour in (10, 11, 300)}


async def test_who_hears_all_of_many_keeps_nobody_waiting(
    fleet: Any, live: Callable[..., Any], message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [await fleet.device(organization=uuid4()) for _ in range(FEW + 1)]
    device, after, waiting = await fleet.device(), FeedRepository.after, list[int]()
    administrator, member = await live(token=fleet.tokens.token(is_admin=True)), await live()
    for client in (administrator, member):
        await client.subscribe()
    await fleet.store(message({"id": "one", "metrics": {"a": 1}}, device=device))
    for client in (administrator, member):
        await eventually(lambda client=client: _has(client, "one"))  # type: ignore[misc]

    def endless(self: FeedRepository, organizations: Any, seq: int, snapshot: Snapshot) -> Any:
        if len(organizations) <= FEW:
            return after(self, organizations, seq, snapshot)
        waiting.append(len(organizations))
        return _never()

    monkeypatch.setattr(FeedRepository, "after", endless)
    await fleet.store(message({"id": "two", "metrics": {"a": 1}}, device=others[0]))
    await eventually(lambda: _is_any(waiting))
    await fleet.store(message({"id": "three", "metrics": {"a": 1}}, device=device))
    await eventually(lambda: _has(member, "three"))


async def test_who_hears_all_of_many_hears_them(fleet: Any, live: Callable[..., Any], message: Any) -> None:
    others = [await fleet.device(organization=uuid4()) for _ in range(FEW + 1)]
    administrator = await live(token=fleet.tokens.token(is_admin=True))
    await administrator.subscribe()
    for number, device in enumerate(others):
        await fleet.store(message({"id": f"r{number}", "metrics": {"a": 1}}, device=device))
        await eventually(lambda name=f"r{number}": _has(administrator, name))  # type: ignore[misc]


async def _never() -> Any:
    await asyncio.Event().wait()
    yield []


async def _is_any(found: list[int]) -> bool:
    return bool(found)


async def _has(client: Any, name: str) -> bool:
    return name in client.ids()

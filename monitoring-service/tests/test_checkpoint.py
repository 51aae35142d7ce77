"""What a worker that died had stored reaches the projections, once and without reading more than that."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from monitoring_service.readings.checkpoint import STALE_AFTER, ProjectionCheckpoint
from monitoring_service.readings.repository import ReadingRepository
from monitoring_service.store.client import Document, Store
from monitoring_service.store.sequence import MINUTE

LONG_AGO = 7 * 24 * 60 * MINUTE


@pytest.fixture
def told() -> list[Document]:
    return []


@pytest.fixture
def other(fleet: Any, store: Store, told: list[Document]) -> ProjectionCheckpoint:
    """That of a second worker, which stores nothing itself."""
    writer = fleet.worker.consumers["consume telemetry"].handler._writer
    return ProjectionCheckpoint(store, fleet.worker.sequence, writer, (told.extend,), ())


async def died(store: Store, carried: int, *, ago: timedelta = timedelta(0)) -> None:
    note = {"_id": uuid4().hex, "carried": carried, "at": datetime.now(UTC) - ago}
    await store.workers.insert_one(note)


async def test_a_replay_asks_only_for_organizations_that_stored_something(
    fleet: Any,
    store: Store,
    other: ProjectionCheckpoint,
    told: list[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(30):
        await fleet.device(organization=uuid4())
    await fleet.readings(await fleet.device(), *range(5))
    since = (await fleet.worker.sequence.snapshot()).last - LONG_AGO
    await died(store, since)
    asked, stored = list[Any](), ReadingRepository._stored

    async def noted(self: ReadingRepository, organizations: Any, *rest: Any, **more: Any) -> Any:
        asked.append(organizations)
        return await stored(self, organizations, *rest, **more)

    monkeypatch.setattr(ReadingRepository, "_stored", noted)
    assert await other.replay() == 5
    assert len(told) == 5
    assert asked == [[str(fleet.organization)]] * len(asked)
    assert len(asked) < 10


async def test_counts_that_were_moved_are_found_as_well(
    fleet: Any, store: Store, other: ProjectionCheckpoint
) -> None:
    await fleet.readings(await fleet.device(), 1, 2)
    last = (await fleet.worker.sequence.snapshot()).last
    await died(store, last - LONG_AGO)
    begun = await fleet.worker.sequence.begin(1, [])
    later = {"last": begun.end + 2 * MINUTE, "blocks": []}
    await store.sequence.update_one({"_id": "sequence"}, {"$set": later})
    assert await fleet.worker.counts.fold() == 1
    assert await other.replay() == 2


async def test_what_was_replayed_once_is_not_replayed_by_the_next_worker(
    fleet: Any, store: Store, other: ProjectionCheckpoint
) -> None:
    last = (await fleet.worker.sequence.snapshot()).last
    await died(store, last - LONG_AGO)
    await fleet.readings(await fleet.device(), 1, 2, 3)
    assert await other.replay() == 3
    assert await other.replay() == 0


async def test_workers_that_run_replay_what_one_that_died_left_and_forget_it(
    fleet: Any, store: Store, other: ProjectionCheckpoint, told: list[Document]
) -> None:
    before = (await fleet.worker.sequence.snapshot()).last
    await other.replay()
    await fleet.readings(await fleet.device(), 1, 2)
    await died(store, before, ago=STALE_AFTER + timedelta(seconds=1))
    await other.recover_late()
    await other.replay_stale()
    assert len(told) == 2
    await other.recover_late()
    assert await store.workers.distinct("_id") == [other._name]


async def test_a_worker_that_lives_is_left_alone_though_it_has_nothing_to_do(
    fleet: Any, store: Store, other: ProjectionCheckpoint, told: list[Document]
) -> None:
    await fleet.readings(await fleet.device(), 1)
    idle = fleet.worker.checkpoint
    await idle.advance()
    old = {"$set": {"at": datetime.now(UTC) - 2 * STALE_AFTER}}
    await store.workers.update_one({"_id": idle._name}, old)
    idle._note_at = 0
    await idle.advance()
    await other.replay_stale()
    await other.recover_late()
    assert told == []
    assert await store.workers.count_documents({"_id": idle._name}) == 1


async def test_late_listeners_are_told_by_the_next_worker_where_this_one_dies_before(
    fleet: Any, store: Store
) -> None:
    """Of all that the first one that died may not have told them of, however long nobody ran since."""
    sequence, writer = fleet.worker.sequence, fleet.worker.consumers["consume telemetry"].handler._writer
    late: list[Document] = []

    def starting() -> ProjectionCheckpoint:
        return ProjectionCheckpoint(store, sequence, writer, (), (), late=(late.extend,), late_seconds=60)

    await fleet.readings(await fleet.device(), 1, 2)
    stored = await sequence.snapshot()
    await died(store, stored.last)
    away = {"$set": {"last": stored.last + 10 * MINUTE}}
    await store.sequence.update_one({"_id": "sequence"}, away)
    assert await starting().replay() == 0
    following = starting()
    assert await following.replay() == 0
    assert late == []
    await following.recover_late()
    assert len(late) == 2
    last = starting()
    await last.replay()
    await last.recover_late()
    assert len(late) == 2

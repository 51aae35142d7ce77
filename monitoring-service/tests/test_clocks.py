"""A store whose clock was once ahead of this one, and counts that were not moved for hours."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from monitoring_service.store.client import Store
from monitoring_service.store.sequence import KEY, MINUTE, StorageSequence

HOUR = 60 * MINUTE
DAYS = 24
"""Hours in one."""


@pytest.fixture
def set_clock(store: Store) -> Callable[[int], Awaitable[None]]:
    """The sequence as the store's clock has left it so many hours ahead; it never goes back."""

    async def ahead(hours: int) -> None:
        last = int(time.time()) * 1_000_000 + hours * HOUR
        await store.sequence.update_one({"_id": KEY}, {"$set": {"last": last}}, upsert=True)

    return ahead


@pytest.mark.parametrize("hours", [1, 40, 30 * DAYS])
async def test_what_is_stored_after_a_clock_was_ahead_is_listed_and_counted(
    fleet: Any, set_clock: Callable[[int], Awaitable[None]], hours: int
) -> None:
    await fleet.readings(await fleet.device(), *range(3))
    await set_clock(hours)
    device = await fleet.device()
    await fleet.readings(device, *range(10))
    newest = await fleet.items("/data")
    assert [item["device_id"] for item in newest[:10]] == [device] * 10
    assert len(await fleet.all_items("/data", page_size=4)) == 13
    assert (await fleet.get("/stats")).json()["readings_total"] == 13


async def test_the_list_asks_for_the_sequence_once(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleet.readings(await fleet.device(), *range(3))
    asked: list[Any] = []
    snapshot = StorageSequence.snapshot

    async def noted(sequence: StorageSequence, *reads: Any) -> Any:
        asked.append(reads)
        return await snapshot(sequence, *reads)

    monkeypatch.setattr(StorageSequence, "snapshot", noted)
    assert len(await fleet.items("/data")) == 3
    assert len(asked) == 1


async def test_counts_that_were_not_moved_for_hours_are_in_the_total(fleet: Any, store: Store) -> None:
    """Those of the last minutes before the worker stopped, and of blocks that it left open."""
    sequence, name = fleet.worker.sequence, str(fleet.organization)
    old = int(time.time()) // 60 - 5 * 60
    await fleet.device()
    block = await sequence.begin(1, [name])
    start = old * MINUTE
    first = {"last": start + 60, "blocks.0.start": start, "blocks.0.end": start + 60}
    await store.sequence.update_one({"_id": KEY}, {"$set": {f"recent.{name}.{old - 2}": 7, **first}})

    async def total() -> int:
        return int((await fleet.get("/stats")).json()["readings_total"])

    assert await total() == 7
    assert await fleet.worker.counts.fold() == 1
    assert await total() == 7
    left = type(block)(start, start + 60, (name,))
    await sequence.close(left, {name: 5})
    await store.sequence.update_one({"_id": KEY}, {"$set": {"last": start + 3 * HOUR}})
    assert await fleet.worker.counts.fold() == 1
    assert await total() == 12, "also where nobody asked before it was moved"

"""Whatever becomes of an insert whose answer is lost: what is stored is counted, and counted once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.errors import BulkWriteError, NetworkTimeout

from fleet_kit.failure_router import Delivery
from monitoring_service.store.client import Document, Store
from monitoring_service.store.inserts import StoreUnavailable
from monitoring_service.store.sequence import KEY, LEASE_SECONDS, MINUTE, StorageSequence

READINGS = 20
Insert = Callable[[list[Document]], Awaitable[Any]]
Fault = Callable[[Insert, list[Document]], Awaitable[Any]]
LOST = NetworkTimeout("no answer")


async def lost_before(insert: Insert, documents: list[Document]) -> None:
    raise LOST


async def lost_after(insert: Insert, documents: list[Document]) -> None:
    with suppress(BulkWriteError):
        await insert(documents)
    raise LOST


async def lost_half_way(insert: Insert, documents: list[Document]) -> None:
    await lost_after(insert, documents[: READINGS // 2])


async def sent_again(insert: Insert, documents: list[Document]) -> Any:
    """By the driver, to a server that does not know any more that it did it."""
    with suppress(NetworkTimeout):
        await lost_after(insert, documents)
    return await insert(documents)


async def sent_again_half_way(insert: Insert, documents: list[Document]) -> Any:
    with suppress(NetworkTimeout):
        await lost_half_way(insert, documents)
    return await insert(documents)


class Faults:
    """What goes wrong with the next inserts of readings, one after the other."""

    def __init__(self) -> None:
        self.next: list[Fault] = []
        self.late: list[Callable[[], Awaitable[Any]]] = []

    async def lost_and_late(self, insert: Insert, documents: list[Document]) -> None:
        """The store gets to it only when `carry_out` says so."""
        self.late.append(partial(insert, [dict(document) for document in documents]))
        raise LOST

    async def carry_out(self) -> None:
        with suppress(BulkWriteError):
            await self.late.pop(0)()


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    made = Faults()
    insert_many: Any = AsyncIOMotorCollection.insert_many

    async def faulty(collection: Any, documents: list[Document], **options: Any) -> Any:
        insert = partial(insert_many, collection, **options)
        if collection.name != "readings" or not made.next:
            return await insert(documents)
        return await made.next.pop(0)(insert, documents)

    monkeypatch.setattr(AsyncIOMotorCollection, "insert_many", faulty)
    return made


@pytest.fixture
async def batch(fleet: Any, message: Any) -> list[Delivery]:
    device = await fleet.device()
    return [message({"id": f"r{n}", "metrics": {"value": n}}, device=device) for n in range(READINGS)]


async def expire(store: Store, seconds: float = LEASE_SECONDS + 1) -> None:
    """Let so much time pass for what the sequence has in hand."""
    document = await store.sequence.find_one({"_id": KEY}) or {}
    for name in ("blocks", "settled"):
        for entry in document.get(name, ()):
            entry |= {key: entry[key] - timedelta(seconds=seconds) for key in ("until", "at") if key in entry}
    held = {name: document.get(name, []) for name in ("blocks", "settled")}
    await store.sequence.update_one({"_id": KEY}, {"$set": held})


async def settle(fleet: Any, store: Store) -> None:
    await expire(store)
    await fleet.worker.sequence.settle_expired()


async def total(fleet: Any, store: Store) -> int:
    """What is counted; as many as are stored once the store has carried out everything."""
    await expire(store, 3600)
    await fleet.worker.sequence.settle_expired()
    counted = int((await fleet.get("/stats")).json()["readings_total"])
    assert counted == await store.readings.count_documents({})
    minutes = (await fleet.worker.sequence.snapshot()).recent.get(str(fleet.organization), {})
    assert sum(minutes.values()) == counted, "and the minutes say so, too"
    return counted


@pytest.mark.parametrize("fault", [lost_before, lost_after, lost_half_way])
async def test_an_insert_without_an_answer_is_counted_once(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery], fault: Fault
) -> None:
    faults.next = [fault, fault]
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await fleet.store(*batch)
    assert not await fleet.store(*batch)
    assert await total(fleet, store) == READINGS


@pytest.mark.parametrize("fault", [sent_again, sent_again_half_way])
async def test_what_the_driver_sends_again_is_no_duplicate_of_itself(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery], fault: Fault
) -> None:
    await fleet.store(batch[0])
    faults.next = [fault]
    assert not await fleet.store(*batch)
    assert await total(fleet, store) == READINGS


async def test_what_the_store_carries_out_after_its_block_was_settled_is_counted(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery]
) -> None:
    """As a server that stood still does with what its clients sent meanwhile, and gave up."""
    faults.next = [faults.lost_and_late]
    with pytest.raises(StoreUnavailable):
        await fleet.store(*batch)
    await settle(fleet, store)
    await faults.carry_out()
    assert not await fleet.store(*batch)
    assert await total(fleet, store) == READINGS


async def test_what_comes_late_into_a_minute_that_is_over_is_counted(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery]
) -> None:
    faults.next = [faults.lost_and_late]
    with pytest.raises(StoreUnavailable):
        await fleet.store(*batch)
    await fleet.readings(await fleet.device(), *range(3))
    await settle(fleet, store)
    await store.sequence.update_one({"_id": KEY}, {"$inc": {"last": 2 * MINUTE}})
    assert await fleet.worker.counts.fold() == 0, "what may still change stays where it is counted"
    await faults.carry_out()
    assert await total(fleet, store) == READINGS + 3
    assert await fleet.worker.counts.fold() == 1
    assert (await fleet.get("/stats")).json()["readings_total"] == READINGS + 3


async def test_what_is_settled_while_it_is_being_stored_is_counted_in_the_end(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery]
) -> None:
    """Its worker, or the store, takes longer than the lease."""

    async def slow(insert: Insert, documents: list[Document]) -> None:
        await insert(documents[:5])
        await settle(fleet, store)
        await insert(documents[5:])

    faults.next = [slow]
    assert not await fleet.store(*batch)
    assert await total(fleet, store) == READINGS


async def test_what_is_counted_again_by_two_workers_at_once_is_counted_once(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery]
) -> None:
    faults.next = [faults.lost_and_late]
    with pytest.raises(StoreUnavailable):
        await fleet.store(*batch)
    workers = [StorageSequence(store) for _ in range(5)]
    await expire(store)
    await asyncio.gather(*(one.settle_expired() for one in workers))
    await faults.carry_out()
    for _ in range(3):
        await expire(store)
        await asyncio.gather(*(one.settle_expired() for one in workers))
    assert await total(fleet, store) == READINGS


async def test_two_workers_with_the_same_messages_count_them_once(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery]
) -> None:
    faults.next = [sent_again, faults.lost_and_late, sent_again_half_way]
    await asyncio.gather(*(fleet.store(*batch) for _ in range(3)), return_exceptions=True)
    await faults.carry_out()
    assert not await fleet.store(*batch)
    assert await total(fleet, store) == READINGS


@pytest.mark.parametrize("is_carried_out", [True, False])
async def test_a_worker_killed_before_it_closes_its_block(
    fleet: Any,
    store: Store,
    faults: Faults,
    batch: list[Delivery],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_carried_out: bool,
) -> None:
    async def killed(*_: Any) -> bool:
        raise asyncio.CancelledError

    if not is_carried_out:
        faults.next = [faults.lost_and_late]
    with monkeypatch.context() as patch:
        patch.setattr(StorageSequence, "close", killed)
        with suppress(asyncio.CancelledError, StoreUnavailable):
            await fleet.store(*batch)
    assert not await fleet.store(*batch)
    assert await total(fleet, store) == READINGS
    assert fleet.worker.consumers["consume telemetry"].handler._writer.busy == 0


async def test_what_is_deleted_before_it_is_counted_again_is_counted_no_longer(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery]
) -> None:
    faults.next = [lost_after]
    with pytest.raises(StoreUnavailable):
        await fleet.store(*batch)
    await settle(fleet, store)
    assert (await fleet.get("/stats")).json()["readings_total"] == READINGS
    await store.readings.delete_many({"id": {"$in": ["r1", "r2"]}})
    assert await total(fleet, store) == READINGS - 2


async def test_no_more_than_a_bounded_number_of_blocks_is_remembered(
    fleet: Any, store: Store, faults: Faults, batch: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are in the one document that every reader of the live feed reads."""
    monkeypatch.setattr("monitoring_service.store.sequence.MOST_SETTLED", 3)
    for _ in range(8):
        faults.next = [lost_before]
        with pytest.raises(StoreUnavailable):
            await fleet.store(*batch)
        await settle(fleet, store)
    document = await store.sequence.find_one({"_id": KEY}) or {}
    assert 0 < len(document["settled"]) <= 4


async def test_duplicates_of_one_organisation_cost_one_count(
    fleet: Any, store: Store, batch: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    count = AsyncIOMotorCollection.count_documents

    async def noted(collection: Any, query: Document, **options: Any) -> int:
        counted.append(collection.name)
        return int(await count(collection, query, **options))

    monkeypatch.setattr(AsyncIOMotorCollection, "count_documents", noted)
    await fleet.store(*batch)
    assert counted == []
    await fleet.store(*batch)
    assert counted == ["readings"]

"""Stored exactly once, or rejected with a reason."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError

from fleet_contracts.topology import REASON_HEADER
from fleet_kit.consumer import DependencyUnavailable
from fleet_kit.failure_router import Delivery
from monitoring_service.readings.writer import MAX_VALUES, ReadingWriter, values_of
from monitoring_service.store.client import Document, Store
from monitoring_service.store.inserts import insert_once
from monitoring_service.store.sequence import LEASE_SECONDS, StorageSequence
from monitoring_service.worker import Publishers, Worker

from .conftest import deleted


def reading(name: str, value: float = 1, **more: Any) -> dict[str, Any]:
    return {"id": name, "metrics": {"value": value}, **more}


async def test_every_delivery_three_times_in_any_order_is_stored_once(
    fleet: Any, message: Any, store: Store
) -> None:
    device = await fleet.device()
    deliveries = [message(reading(f"r{n}"), reading(f"s{n}"), device=device) for n in range(50)] * 3
    random.Random(1).shuffle(deliveries)
    for start in range(0, len(deliveries), 40):
        assert not await fleet.store(*deliveries[start : start + 40])
    stored = [row["id"] async for row in store.readings.find({})]
    assert sorted(stored) == sorted([f"r{n}" for n in range(50)] + [f"s{n}" for n in range(50)])
    numbers = (await fleet.get("/stats")).json()
    assert (numbers["readings_total"], numbers["readings_last_hour"]) == (100, 100)


async def test_a_bad_reading_is_listed_and_its_neighbours_are_stored(fleet: Any, message: Any) -> None:
    device = await fleet.device()
    bad = {"metrics": {"a.b": 1}}
    for _ in range(2):
        await fleet.store(message(reading("left"), bad, reading("right"), device=device))
    assert {item["id"] for item in await fleet.items(f"/data/{device}")} == {"left", "right"}
    rejected = await fleet.items("/rejected")
    assert [(item["device_id"], item["field"], item["index"]) for item in rejected] == [
        (device, "metrics.a.b", 1)
    ]
    assert (await fleet.get("/rejected", organization=uuid4())).json()["items"] == []
    assert (await fleet.get("/stats")).json()["rejected"] == 1


async def test_a_message_that_cannot_be_read_is_listed_whole(fleet: Any) -> None:
    device = await fleet.device()
    bodies = [b"\xff\xfe", b"{", b"[]", b'{"metrics": {"a": NaN}}']
    deliveries = [
        Delivery(body, f"devices.{device}.telemetry", None, {}, 0, datetime.now(UTC)) for body in bodies
    ]
    assert not await fleet.store(*deliveries)
    assert len(await fleet.items("/rejected")) == 4


async def test_an_unknown_device_is_tried_later_and_then_listed(
    fleet: Any, message: Any, worker: Worker
) -> None:
    unknown = str(uuid4())
    failures = await fleet.store(message(reading("r"), device=unknown))
    assert [failure.error.reason for failure in failures] == ["UNKNOWN_DEVICE"]
    dead = message(reading("r"), device=unknown)
    dead = Delivery(dead.body, dead.routing_key, None, {REASON_HEADER: "UNKNOWN_DEVICE"}, 4, dead.received_at)
    assert not await worker.consumers["consume dead telemetry"].handler([dead])
    assert await fleet.items("/rejected") == []
    headers = {"Authorization": f"Bearer {fleet.tokens.token(is_admin=True)}"}
    seen = await fleet.http.get("/api/v1/monitoring/rejected", headers=headers)
    assert [(item["code"], item["device_id"]) for item in seen.json()["items"]] == [
        ("UNKNOWN_DEVICE", unknown)
    ]


async def test_for_a_deleted_device_nothing_waits(fleet: Any, message: Any) -> None:
    """A device that floods may have been deleted with its session open: each wait would cost all others."""
    device, unknown = await fleet.device(), str(uuid4())
    await fleet.tell(deleted(UUID(device), fleet.organization))
    failures = await fleet.store(message(reading("r"), device=device), message(reading("s"), device=unknown))
    assert [failure.error.attempts for failure in failures] == [1, fleet.settings.unknown_device_attempts]


async def test_a_routing_key_that_names_no_device_is_listed(fleet: Any, store: Store) -> None:
    delivery = Delivery(b"{}", "devices.not-a-uuid.telemetry", None, {}, 0, datetime.now(UTC))
    assert not await fleet.store(delivery)
    assert (await store.rejected.find_one({}))["code"] == "INVALID_DEVICE_ID"  # type: ignore[index]


async def test_a_deleted_device_is_unknown_and_an_old_event_does_not_bring_it_back(
    fleet: Any, message: Any, events: Any
) -> None:
    device = uuid4()
    await fleet.tell(events.registered(device, fleet.organization))
    await fleet.tell(events.deleted(device, fleet.organization))
    await fleet.tell(events.registered(device, fleet.organization))
    assert len(await fleet.store(message(reading("r"), device=str(device)))) == 1
    assert (await fleet.get(f"/data/{device}")).status_code == 404


class Flaky:
    """A collection whose next inserts fail as told: a number of documents taken, or an error."""

    def __init__(self, collection: Any, *failures: int | Exception) -> None:
        self._collection, self._failures = collection, list(failures)
        self.attempts: list[int] = []

    async def insert_many(self, documents: list[Any], **options: Any) -> Any:
        self.attempts.append(len(documents))
        failure = self._failures.pop(0) if self._failures else None
        if isinstance(failure, Exception):
            raise failure
        if failure is None:
            return await self._collection.insert_many(documents, **options)
        if failure:
            await self._collection.insert_many(documents[:failure], **options)
        errors = [{"index": n, "code": 91, "errmsg": "shutting down"} for n in range(failure, len(documents))]
        raise BulkWriteError({"writeErrors": errors, "writeConcernErrors": []})


async def test_only_the_part_of_a_write_that_failed_is_tried_again(store: Store) -> None:
    flaky = Flaky(store.readings, 3)
    result = await insert_once(flaky, [{"_id": f"r{n}"} for n in range(5)])  # type: ignore[arg-type]
    assert (flaky.attempts, result.stored, result.duplicates) == ([5, 2], 5, [])
    assert await store.readings.count_documents({}) == 5


async def test_a_store_that_is_away_pauses_the_batch_and_what_it_took_counts_once(store: Store) -> None:
    documents = [{"_id": f"r{n}"} for n in range(3)]
    with pytest.raises(DependencyUnavailable):
        await insert_once(Flaky(store.readings, AutoReconnect("away")), documents)  # type: ignore[arg-type]
    with pytest.raises(DependencyUnavailable):
        await insert_once(Flaky(store.readings, 1, 0, 0, 0), documents)  # type: ignore[arg-type]
    result = await insert_once(store.readings, documents)
    assert (result.stored, len(result.duplicates)) == (2, 1)


async def test_a_document_that_the_store_refuses_for_good_costs_no_neighbour(store: Store) -> None:
    documents: list[Document] = [{"_id": "a"}, {"_id": "b", "value": 2**70}, {"_id": "c"}]
    result = await insert_once(store.readings, documents)
    assert (result.stored, [refused["_id"] for refused, _ in result.refused]) == (2, ["b"])


async def test_no_insert_of_wide_readings_holds_up_the_store_longer_than_others(
    fleet: Any, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inserts: list[int] = []
    put = ReadingWriter.put

    async def noted(writer: ReadingWriter, documents: list[Document]) -> Any:
        inserts.append(sum(values_of(document) for document in documents))
        return await put(writer, documents)

    monkeypatch.setattr(ReadingWriter, "put", noted)
    device = await fleet.device()
    wide = {f"m{number}": number for number in range(100)}
    await fleet.store(message(*({"id": f"r{n}", "metrics": wide} for n in range(1000)), device=device))
    assert sum(inserts) == 1000 * values_of({"metrics": wide})
    assert max(inserts) <= MAX_VALUES


async def test_readers_never_pass_a_block_that_another_worker_has_not_closed(store: Store) -> None:
    one, two = StorageSequence(store), StorageSequence(store)
    late = await one.begin(10, ["o"])
    quick = await two.begin(10, ["o"])
    assert quick.start > late.end
    await two.close(quick, {"o": 10})
    assert (await two.snapshot()).stable == late.start - 1
    await one.close(late, {"o": 10})
    assert (await two.snapshot()).stable == quick.end
    assert not await one.close(late, {"o": 10})
    assert sum((await one.snapshot()).recent["o"].values()) == 20


async def test_the_block_of_a_worker_that_died_is_closed_and_counted_by_another(store: Store) -> None:
    sequence = StorageSequence(store)
    block = await sequence.begin(5, ["o"])
    await store.readings.insert_one({"_id": "d:1", "organization_id": "o", "seq": block.start})
    assert await sequence.settle_expired() == 0
    past = datetime.now(UTC) - timedelta(seconds=LEASE_SECONDS)
    await store.sequence.update_one({}, {"$set": {"blocks.0.until": past}})
    assert await sequence.settle_expired() == 1
    snapshot = await sequence.snapshot()
    assert snapshot.stable == block.end
    assert sum(snapshot.recent["o"].values()) == 1


async def test_what_a_killed_worker_had_not_carried_on_is_carried_on_by_the_next(
    fleet: Any, message: Any, settings: Any, store: Store
) -> None:
    from fleet_kit.redis_client import open_redis
    from monitoring_service.live.notifier import StoredNotifier

    device = await fleet.device()
    await fleet.worker.checkpoint.advance()
    await fleet.store(message(reading("r", 7), device=device))
    assert await fleet.items("/latest") == []
    publishers = Publishers.of(settings)
    redis = open_redis(settings.redis_url.get_secret_value())
    following = Worker(settings, store, publishers, StoredNotifier(redis))
    assert await following.checkpoint.replay() == 1
    assert [item["metrics"] for item in await fleet.items("/latest")] == [{"value": 7}]
    await publishers.close()
    await redis.aclose()


async def test_counts_of_closed_minutes_move_and_stay_exact(fleet: Any, message: Any, store: Store) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, 2, 3)
    snapshot = await fleet.worker.sequence.snapshot()
    assert sum(snapshot.recent[str(fleet.organization)].values()) == 3
    hour_ago = {f"recent.{fleet.organization}.{1000}": 5}
    await store.sequence.update_one({}, {"$set": hour_ago})
    assert await fleet.worker.counts.fold() >= 1
    assert (await fleet.get("/stats")).json()["readings_total"] == 8
    assert (await fleet.get("/stats")).json()["readings_last_hour"] == 3


async def test_readings_older_than_the_retention_time_are_forgotten(fleet: Any, store: Store) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, 2)
    old_hour = 1000
    await store.readings.insert_one(
        {
            "_id": "old",
            "organization_id": str(fleet.organization),
            "device_id": device,
            "seq": old_hour * 3_600_000_000 + 5,
        }
    )
    await store.hourly.insert_one(
        {"_id": "h", "organization_id": str(fleet.organization), "hour": old_hour, "minutes": {"0": 1}}
    )
    assert await fleet.worker.retention.sweep() == 1
    assert await store.readings.count_documents({}) == 2
    assert await fleet.worker.retention.sweep() == 0


async def test_two_handlers_side_by_side_store_everything_once(
    fleet: Any, message: Any, store: Store
) -> None:
    device = await fleet.device()
    deliveries = [message(reading(f"r{n}"), device=device) for n in range(200)]
    await asyncio.gather(*(fleet.store(*deliveries) for _ in range(3)))
    assert await store.readings.count_documents({}) == 200
    assert (await fleet.get("/stats")).json()["readings_total"] == 200


async def test_a_reading_that_no_query_would_show_is_rejected_with_the_reason(
    fleet: Any, message: Any
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    device, kept = await fleet.device(), fleet.settings.retention
    moments = {"old": now - kept - timedelta(hours=1), "older": now - timedelta(days=360)}
    moments["shown"] = now - kept + timedelta(hours=1)
    readings = [{"id": name, "ts": ts.isoformat(), "metrics": {"value": 1}} for name, ts in moments.items()]
    for _ in range(2):
        assert not await fleet.store(message(*readings, device=device, received_at=now))
    rejected = await fleet.items("/rejected")
    assert sorted(one["reading_id"] for one in rejected) == ["old", "older"]
    assert {(one["code"], one["field"]) for one in rejected} == {("TS_OUT_OF_RANGE", "ts")}
    assert "kept for 90 days" in rejected[0]["reason"]
    assert [one["id"] for one in await fleet.all_items(f"/data/{device}")] == ["shown"]
    assert (await fleet.get("/stats")).json()["readings_total"] == 1


async def test_who_sends_little_is_stored_before_who_sent_much_just_before(
    fleet: Any, message: Any, store: Store
) -> None:
    """One batch; of each device in the order of arrival."""
    much, little = await fleet.device(), await fleet.device(organization=uuid4())
    sent = [(much, value) for value in range(30)] + [(little, value) for value in (100, 101)]
    await fleet.store(*(message(reading(f"r{value}", value), device=device) for device, value in sent))
    stored = await store.readings.find({}, sort=[("seq", 1)]).to_list()
    assert [one["metrics"]["value"] for one in stored] == [100, 101, *range(30)]

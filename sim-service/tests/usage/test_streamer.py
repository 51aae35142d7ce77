"""Pushed records: each counted once, whatever their form, order and number of deliveries."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fleet_kit.testing import eventually
from once_sandbox.events.models import Event
from once_sandbox.events.schemas import event_record
from once_sandbox.faults.schemas import FaultRule
from once_sandbox.streams.burst import burst
from once_sandbox.streams.flat import flat
from once_sandbox.streams.schemas import StreamConfig
from once_sandbox.streams.service import add_stream
from sim_service.usage.streamer.api import MOST_RECORDS

from ..push_support import AUTH, push, pushed, record
from ..support import Fleet

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


async def days(fleet: Fleet) -> list[Any]:
    return list(
        await fleet.rows(
            "SELECT iccid, day, data_mo_bytes, data_mt_bytes, sms_mo, sms_mt FROM sim_usage ORDER BY 1, 2"
        )
    )


async def test_a_record_counts_for_its_hour_its_day_and_its_organisation(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    body = await pushed(
        fleet,
        record(fleet, iccid, at=NOON, sent=1_234_567, received=89),
        record(fleet, iccid, at=NOON + timedelta(minutes=40), sent=1000),
        record(fleet, iccid, at=NOON, seconds=0, sms_sent=1),
    )
    assert body == {"received": 3, "usage": 3, "events": 0, "rejected": 0}
    assert await days(fleet) == [(iccid, NOON.date(), 1_235_567, 89, 1, 0)]
    hours = await fleet.rows("SELECT hour, data_mo_bytes, sms_mo FROM sim_usage_hours ORDER BY hour")
    # The first ended at noon sharp, so it was used in the hour before; the message came at noon.
    assert hours == [(NOON - timedelta(hours=1), 1_234_567, 0), (NOON, 1000, 1)]
    rollup = await fleet.rows("SELECT organization_id, day, data_mo_bytes, sms_mo FROM organization_usage")
    assert rollup == [(fleet.ours.id, NOON.date(), 1_235_567, 1)]


async def test_repetitions_within_a_post_and_across_posts_count_once(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(20)
    records = [record(fleet, iccids[n % 20], at=NOON + timedelta(seconds=n), sent=n + 1) for n in range(200)]
    deliveries = [*records, *records, *map(flat, records)]
    random.Random(3).shuffle(deliveries)
    for start in range(0, 600, 130):
        await pushed(fleet, *deliveries[start : start + 130])
    assert sum(row.data_mo_bytes for row in await days(fleet)) == sum(range(1, 201))
    assert (await fleet.rows("SELECT count(*) FROM stream_records"))[0][0] == 200


async def test_posts_at_the_same_moment_are_stored_together_and_once(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(30)
    records = [record(fleet, iccid, at=NOON, sent=100) for iccid in iccids for _ in range(10)]
    posts = [random.Random(number).sample(records, 300) for number in range(12)]
    answers = await asyncio.gather(*(push(fleet, one) for one in posts))
    assert {answer.status_code for answer in answers} == {200}
    assert [row.data_mo_bytes for row in await days(fleet)] == [1000] * 30
    total = await fleet.rows("SELECT data_mo_bytes FROM organization_usage")
    assert total == [(30_000,)]


async def test_numbers_and_strings_nested_and_flat_mean_the_same(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    nested = record(fleet, iccid, at=NOON, sent=2_000_000, received=1_000_000)
    strings = nested | {
        "id": str(nested["id"]),
        "volume": {name: str(value) for name, value in nested["volume"].items()},
        "traffic_type": {"id": "5"},
        "imsi": {"id": 1, "imsi": nested["imsi"]},
    }
    with_luhn = flat(nested) | {"sim_iccid": fleet.sandbox.sims()[0].iccid_with_luhn}
    await pushed(fleet, strings, nested)
    await pushed(fleet, with_luhn)
    assert await days(fleet) == [(iccid, NOON.date(), 2_000_000, 1_000_000, 0, 0)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"volume": {"tx": "much", "rx": 0}}, "volume.tx"),
        ({"volume": {"tx": -1, "rx": 0}}, "volume.tx"),
        ({"volume": {"tx": "nan", "rx": 0}}, "volume.tx"),
        ({"volume": {"tx": True, "rx": 0}}, "volume.tx"),
        ({"volume": {"total": 1}}, "volume"),
        ({"id": None}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"sim": None}, "sim.iccid"),
        ({"sim": {"iccid": "12"}}, "sim.iccid"),
        ({"end_timestamp": "yesterday"}, "end_timestamp"),
        ({"end_timestamp": "0001-01-01"}, "end_timestamp"),
        ({"end_timestamp": "9999-01-01T00:00:00Z"}, "end_timestamp"),
        ({"end_timestamp": "2020-01-01T00:00:00Z"}, "end_timestamp"),
        ({"traffic_type": {"id": 7}}, "traffic_type"),
    ],
)
async def test_an_unreadable_record_is_listed_once_and_its_neighbours_count(
    fleet: Fleet, change: dict[str, Any], field: str
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    good = record(fleet, iccid, at=NOON, sent=7)
    bad = record(fleet, iccid, at=NOON, sent=5) | change
    for _ in range(2):
        body = await pushed(fleet, bad, good)
        assert (body["usage"], body["rejected"]) == (1, 1)
    assert (await days(fleet))[0].data_mo_bytes == 7
    listed = (await fleet.platform.get("/sim/push/rejected")).json()
    assert [item["field"] for item in listed["items"]] == [field]
    mine = (await fleet.ours.viewer.get("/sim/push/rejected")).json()
    assert mine["total"] == (0 if field.startswith("sim") else 1)
    assert (await fleet.theirs.viewer.get("/sim/push/rejected")).json()["total"] == 0


async def test_what_is_no_record_at_all_is_listed_too(fleet: Fleet) -> None:
    body = await pushed(fleet, 1, None, "text", [], {}, {"event_type": {"id": 1}})
    assert (body["received"], body["rejected"]) == (6, 6)


async def test_usage_of_a_sim_that_nobody_owns_waits_for_its_owner(fleet: Fleet) -> None:
    await fleet.sync()
    iccid = fleet.sandbox.sims()[0].iccid
    await pushed(fleet, record(fleet, iccid, at=NOON, sent=11), record(fleet, iccid, at=NOON, received=4))
    assert await days(fleet) == []
    await fleet.claim(iccid)
    assert await days(fleet) == [(iccid, NOON.date(), 11, 4, 0, 0)]
    await pushed(fleet, record(fleet, iccid, at=NOON, sent=9))
    assert (await days(fleet))[0].data_mo_bytes == 20
    assert (await fleet.rows("SELECT data_mo_bytes FROM organization_usage")) == [(20,)]


async def test_usage_of_a_sim_that_is_not_known_yet_is_kept_by_its_iccid(fleet: Fleet) -> None:
    iccid = fleet.sandbox.sims()[0].iccid
    await pushed(fleet, record(fleet, iccid, at=NOON, sent=11))
    kept = await fleet.rows("SELECT organization_id, iccid, data_mo_bytes FROM stream_records")
    assert kept == [(None, iccid, 11)]
    await fleet.owned_sims(1)
    assert (await days(fleet))[0].data_mo_bytes == 11


async def test_only_the_carrier_may_push(fleet: Fleet) -> None:
    for auth in (None, ("carrier", "wrong"), ("other", AUTH[1]), ("", ""), ("carriér", "pässword")):
        answer = await push(fleet, [], auth)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="push"')
        assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    bearer = await fleet.ours.admin.post("/sim/push/streamer", json=[])
    assert bearer.status_code == 401
    fleet.app.state.settings = fleet.settings.model_copy(update={"push_password": None})
    answer = await push(fleet, [])
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "PUSH_SWITCHED_OFF")


async def test_what_is_not_an_array_of_records_is_refused_as_a_whole(fleet: Fleet) -> None:
    for body, status, code in (
        (b"[{", 400, "MALFORMED_JSON"),
        (b'{"id": 1}', 422, "VALIDATION_FAILED"),
        (b"[" + b"1," * MOST_RECORDS + b"1]", 422, "VALIDATION_FAILED"),
        (b"[" + b" " * 8 * 1024 * 1024 + b"]", 413, "PAYLOAD_TOO_LARGE"),
        (b"\xff", 400, "MALFORMED_JSON"),
    ):
        answer = await fleet.anyone.post("/sim/push/streamer", content=body, auth=AUTH)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_events_may_come_between_usage_and_are_kept_once(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    sim = fleet.sandbox.sims()[0]
    happened = [
        Event(id=number, at=NOON.timestamp() + number, type_id=type_id, severity=1, description="x")
        for number, type_id in enumerate((18, 3, 5), 7_000)
    ]
    events = [event_record(sim, event) for event in happened]
    usage = record(fleet, iccid, at=NOON, sent=5)
    odd = {"event_type": {"id": 1}}
    body = await pushed(fleet, events[0], usage, flat(events[0]), flat(events[1]), events[2], odd)
    assert body == {"received": 6, "usage": 1, "events": 4, "rejected": 1}
    await pushed(fleet, *map(flat, events))
    kept = await fleet.rows("SELECT id, type, organization_id FROM sim_events ORDER BY id")
    assert [tuple(row) for row in kept] == [
        ("7000", "data_quota_low", fleet.ours.id),
        ("7001", "session_opened", fleet.ours.id),
        ("7002", "session_closed", fleet.ours.id),
    ]


@pytest.fixture
def address(fleet: Fleet, app_url: str) -> Iterator[str]:
    """The endpoint on a real port, for the sandbox's own pushes."""
    yield f"{app_url}/sim/push/streamer"
    for stream in list(fleet.sandbox.sandbox.pushes.streams):
        del fleet.sandbox.sandbox.pushes.streams[stream]


@pytest.mark.parametrize("shape", ["nested", "flat"])
async def test_the_sandboxs_stream_arrives_whole_with_its_faults(
    fleet: Fleet, address: str, shape: str
) -> None:
    await fleet.owned_sims(50)
    sandbox = fleet.sandbox.sandbox
    for kind in ("duplicate_records", "shuffle_records", "flat_records"):
        sandbox.faults.add(FaultRule.model_validate({"kind": kind, "path": "/push/*", "share": 0.7}))
    login = {"username": AUTH[0], "password": AUTH[1]}
    config = {"url": address, "shape": shape, "interval_seconds": 0.01, "retry_seconds": 0.05, **login}
    stream = add_stream(sandbox, StreamConfig.model_validate(config))
    burst(sandbox, stream, 7500, 0.3)
    once = {one["id"]: one for one in stream.queue}

    async def delivered() -> bool:
        return not stream.queue and stream.delivered == 7500

    await eventually(delivered, timeout=90)
    counted = await fleet.rows("SELECT count(*), sum(data_mo_bytes + data_mt_bytes) FROM stream_records")
    expected = sum(round((one["volume"]["tx"] + one["volume"]["rx"]) * 1024 * 1024) for one in once.values())
    assert (counted[0][0], int(counted[0][1])) == (len(once), expected)
    total = await fleet.rows("SELECT sum(data_mo_bytes + data_mt_bytes) FROM organization_usage")
    mine = await fleet.rows(
        "SELECT sum(data_mo_bytes + data_mt_bytes) FROM stream_records WHERE organization_id IS NOT NULL"
    )
    assert total == mine


async def test_a_post_that_is_not_stored_whole_is_not_answered_200_and_leaves_nothing(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(2)
    records = [record(fleet, iccid, at=NOON, sent=5) for iccid in iccids]
    async with fleet.sessions.begin() as session:
        await session.execute(text("ALTER TABLE sim_usage RENAME TO sim_usage_away"))
    try:
        answers = await asyncio.gather(*(push(fleet, records) for _ in range(3)))
        assert {answer.status_code for answer in answers} == {500}
    finally:
        async with fleet.sessions.begin() as session:
            await session.execute(text("ALTER TABLE sim_usage_away RENAME TO sim_usage"))
    assert (await fleet.rows("SELECT count(*) FROM stream_records"))[0][0] == 0
    await pushed(fleet, *records)
    assert [row.data_mo_bytes for row in await days(fleet)] == [5, 5]

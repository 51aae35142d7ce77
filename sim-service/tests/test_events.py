"""Events of SIMs: kept once however they come, listed in pages, asked for where they are not known."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fleet_kit.scope import EVERYTHING
from once_sandbox.connectivity import sessions as network
from once_sandbox.events.models import LOCATION
from once_sandbox.events.schemas import event_record
from once_sandbox.events.service import events_of, record
from once_sandbox.streams.flat import flat
from sim_service.carrier.errors import CarrierUnavailable
from sim_service.carrier.facts import CarrierEvent
from sim_service.carrier.once import network as network_calls
from sim_service.events.jobs import EventRetention
from sim_service.events.repository import EventRepository
from sim_service.events.service import EventService
from sim_service.jobs.models import JobKind

from .push_support import pushed
from .support import Fleet

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def noted(number: int, iccid: str, **fields: Any) -> CarrierEvent:
    """An event as a push brings it."""
    at = NOON + timedelta(seconds=number)
    return replace(CarrierEvent(str(number), iccid, at, "session_opened", 3), **fields)


async def store(fleet: Fleet, *events: CarrierEvent) -> int:
    async with fleet.sessions.begin() as session:
        return await EventService.store(session, events)


def happen(fleet: Fleet, iccid: str, number: int) -> None:
    """So many events at the carrier, a second apart."""
    world = fleet.sandbox.sandbox.world
    sim = world.sims.by_iccid[iccid]
    for back in range(number, 0, -1):
        with world.clock.at(world.clock.now() - back):
            record(world, sim, LOCATION, at_network=True)


async def listed(fleet: Fleet, iccid: str, query: str = "") -> list[dict[str, Any]]:
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/events?page_size=200&{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_sync_brings_events_once_and_says_when(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    before = await fleet.ours.viewer.get(f"/sims/{iccid}/events")
    assert (before.json()["items"], before.json()["total"], before.json()["synced_at"]) == ([], 0, None)
    sim = fleet.sandbox.sims()[0]
    network.fail(fleet.sandbox.sandbox.world, sim, "APN_NOT_AUTHORIZED")
    first = (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()
    again = (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()
    assert (first["stored"] > 1, again["stored"]) == (True, 0)
    page = (await fleet.ours.viewer.get(f"/sims/{iccid}/events")).json()
    assert page["total"] == first["stored"]
    assert page["synced_at"] is not None
    refused = page["items"][0]
    assert (refused["type"], refused["cause"]) == ("session_refused", "APN_NOT_AUTHORIZED")
    assert (refused["severity"], refused["operator"] is not None) == ("warning", True)
    assert [item["at"] for item in page["items"]] == sorted(
        (item["at"] for item in page["items"]), reverse=True
    )


async def test_many_events_are_read_page_by_page_and_the_next_sync_asks_only_for_the_newest(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    monkeypatch.setattr(network_calls, "_EVENTS_A_PAGE", 10)
    happen(fleet, iccid, 250)
    stored = (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"]
    assert stored > 250
    happen(fleet, iccid, 1)
    fleet.sandbox.calls.clear()
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] == 1
    assert fleet.sandbox.called("/events") == 1


async def test_a_sync_that_breaks_off_leaves_no_gap(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    (iccid,) = await fleet.owned_sims(1)
    monkeypatch.setattr(network_calls, "_EVENTS_A_PAGE", 10)
    await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")
    happen(fleet, iccid, 50)
    carrier, asked = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.events

    async def away(iccid: str, page: int, **named: Any) -> list[CarrierEvent]:
        if page == 3:
            raise CarrierUnavailable("away")
        found: list[CarrierEvent] = await asked(iccid, page, **named)
        return found

    with monkeypatch.context() as broken:
        broken.setattr(carrier, "events", away)
        assert (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).status_code == 503
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] == 30


async def test_a_carrier_that_tells_the_same_page_again_is_not_asked_without_end(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    carrier, asked = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.events
    monkeypatch.setattr(carrier, "events", lambda iccid, page, **named: asked(iccid, 1, **named))
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] > 0
    assert fleet.sandbox.called("/events") == 2


async def test_a_push_in_between_leaves_no_gap(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    world = fleet.sandbox.sandbox.world
    sim = fleet.sandbox.sims()[0]
    await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")
    happen(fleet, iccid, 150)
    newest = record(world, sim, LOCATION, at_network=True)
    await store(fleet, noted(newest.id, iccid, at=datetime.fromtimestamp(newest.at, UTC)))
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] == 150


async def test_pushed_events_are_stored_once_with_their_owner(fleet: Fleet) -> None:
    mine, other, nobodys = await fleet.owned_sims(2) + [fleet.sandbox.sims()[7].iccid]
    events = [
        noted(number, iccid) for iccid in (mine, other, nobodys, "8988280000000000017") for number in range(3)
    ]
    assert await store(fleet, *events, *events) == 12
    assert await store(fleet, *events, noted(3, mine)) == 1
    assert await store(fleet) == 0
    assert [item["id"] for item in await listed(fleet, mine)] == ["3", "2", "1", "0"]
    assert (await fleet.ours.viewer.get(f"/sims/{nobodys}/events")).status_code == 404


async def test_what_came_before_the_claim_is_the_owners_when_it_comes_again(fleet: Fleet) -> None:
    await fleet.sync()
    iccid = fleet.sandbox.sims()[0].iccid
    await store(fleet, noted(1, iccid))
    await fleet.claim(iccid)
    assert await listed(fleet, iccid) == []
    assert await store(fleet, noted(1, iccid)) == 0
    assert [item["id"] for item in await listed(fleet, iccid)] == ["1"]


async def test_what_another_owner_had_stays_theirs(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    happen(fleet, iccid, 3)
    await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")
    await fleet.rows("DELETE FROM sim_events WHERE id IN (SELECT id FROM sim_events LIMIT 2) RETURNING id")
    await fleet.rows("UPDATE sims SET organization_id = :owner RETURNING iccid", owner=fleet.theirs.id)
    happened = (await fleet.theirs.operator.post(f"/sims/{iccid}/events/sync")).json()
    assert happened["stored"] == 0
    assert (await fleet.theirs.viewer.get(f"/sims/{iccid}/events")).json()["items"] == []
    record(fleet.sandbox.sandbox.world, fleet.sandbox.sims()[0], LOCATION)
    assert (await fleet.theirs.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] == 1


@pytest.mark.parametrize("synced", [True, False])
async def test_what_happened_before_a_release_is_not_the_next_owners(fleet: Fleet, synced: bool) -> None:
    (iccid,) = await fleet.owned_sims(1)
    if synced:
        await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")
    record(fleet.sandbox.sandbox.world, fleet.sandbox.sims()[0], LOCATION)
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    assert (await fleet.theirs.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] == 0
    record(fleet.sandbox.sandbox.world, fleet.sandbox.sims()[0], LOCATION)
    assert (await fleet.theirs.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] == 1
    assert (await fleet.theirs.viewer.get(f"/sims/{iccid}/events")).json()["total"] == 1


async def test_a_late_push_goes_to_who_had_the_sim_then(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    late = noted(1, iccid, at=datetime.now(UTC))
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    await store(fleet, late, noted(2, iccid, at=datetime.now(UTC)))
    theirs = (await fleet.theirs.viewer.get(f"/sims/{iccid}/events")).json()["items"]
    assert [item["id"] for item in theirs] == ["2"]
    await fleet.theirs.admin.delete(f"/sims/{iccid}/claim")
    await fleet.claim(iccid)
    assert [item["id"] for item in await listed(fleet, iccid)] == ["1"]


async def test_two_pushes_of_the_same_at_once_store_each_once(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    events = [noted(number, iccid) for iccid in iccids for number in range(400)]
    counts = await asyncio.gather(*(store(fleet, *events[::step]) for step in (1, -1, 1, -1)))
    assert sum(counts) == len(events)
    assert (await fleet.rows("SELECT count(*) FROM sim_events"))[0][0] == len(events)


async def test_three_thousand_events_are_one_statement(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    events = [noted(number, iccid, detail={"n": number}) for iccid in iccids for number in range(1000)]
    assert await store(fleet, *events) == 3000


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=blocked", ["2"]),
        ("type=blocked&type=session_opened", ["3", "2", "0"]),
        ("severity=critical", ["1"]),
        ("severity=critical&severity=warning", ["2", "1"]),
        ("from=2026-11-01T12:00:01Z&to=2026-11-01T12:00:03Z", ["2", "1"]),
        ("from=2026-11-01T13:00:03%2B01:00", ["3"]),
        ("type=nothing", []),
    ],
)
async def test_events_are_filtered(fleet: Fleet, query: str, expected: list[str]) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await store(
        fleet,
        noted(0, iccid),
        noted(1, iccid, severity="critical", type="data_quota_exhausted"),
        noted(2, iccid, severity="warning", type="blocked"),
        noted(3, iccid),
    )
    assert [item["id"] for item in await listed(fleet, iccid, query)] == expected


async def test_pages_by_number_and_by_cursor_hold_every_event_once(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await store(fleet, *(noted(number, iccid, at=NOON) for number in range(7)))
    path = f"/sims/{iccid}/events?page_size=3"
    by_number = [(await fleet.ours.viewer.get(f"{path}&page={page}")).json() for page in (1, 2, 3)]
    assert [page["total"] for page in by_number] == [7, 7, 7]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await fleet.ours.viewer.get(path + (f"&cursor={cursor}" if cursor else ""))).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [item["id"] for page in by_number for item in page["items"]]
    assert sorted(seen) == [str(number) for number in range(7)]


@pytest.mark.parametrize(
    "query",
    ["severity=loud", "from=yesterday", "from=2026-11-02T00:00:00", "cursor=x", "page_size=0",
     "from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z"],
)  # fmt: skip
async def test_bad_filters_are_refused(fleet: Fleet, query: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/events?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_FAILED")


async def test_existence_comes_before_roles_and_others_see_nothing(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    for client in (fleet.theirs.viewer, fleet.theirs.operator):
        assert (await client.post(f"/sims/{iccid}/events/sync")).status_code == 404
        assert (await client.get(f"/sims/{iccid}/events")).status_code == 404
    assert (await fleet.ours.viewer.post(f"/sims/{iccid}/events/sync")).status_code == 403
    assert (await fleet.anyone.get(f"/sims/{iccid}/events")).status_code == 401


async def test_while_the_carrier_is_away_known_events_are_shown(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")
    fleet.sandbox.broken = 503
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).status_code == 503
    assert len(await listed(fleet, iccid)) > 0


async def test_the_job_goes_through_every_claimed_sim_and_resumes(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(5)
    await fleet.request(JobKind.SYNC_EVENTS)
    fleet.sandbox.calls.clear()
    while await fleet.runner().once():
        pass
    (job,) = await fleet.rows("SELECT state, done, result FROM jobs WHERE kind = 'sync_events'")
    assert (job.state, job.done, job.result["synced"]) == ("succeeded", 5, 5)
    assert {path.split("/")[3] for path in fleet.sandbox.calls if path.endswith("/events")} == set(iccids)
    async with fleet.sessions() as session:
        left = await EventRepository(session, EVERYTHING).to_sync(
            before=datetime.now(UTC) - timedelta(minutes=1), after="", limit=9
        )
    assert left == []


async def test_the_progress_of_the_job_is_told_once_it_is_known(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fleet.owned_sims(4)
    asked = await fleet.ours.operator.post("/jobs", json={"kind": "sync_events"})
    assert asked.json()["progress"] is None
    carrier, read, seen = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.events, []

    async def looking(iccid: str, page: int, **named: Any) -> list[CarrierEvent]:
        if page == 1:
            job = (await fleet.ours.viewer.get(f"/jobs/{asked.json()['id']}")).json()
            seen.append((job["progress"], job["total"]))
        found: list[CarrierEvent] = await read(iccid, page, **named)
        return found

    monkeypatch.setattr(carrier, "events", looking)
    assert await fleet.runner().once()
    assert seen == [(0.0, 4), (0.25, 4), (0.5, 4), (0.75, 4)]


async def test_one_sim_that_the_carrier_spoils_does_not_stop_the_job(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    fleet.sandbox.sims()[0].organisation = 1
    await fleet.request(JobKind.SYNC_EVENTS)
    while await fleet.runner().once():
        pass
    (job,) = await fleet.rows("SELECT state, result FROM jobs WHERE kind = 'sync_events'")
    assert (job.state, job.result["failed"], job.result["synced"]) == ("succeeded", 1, 2)
    assert len(iccids) == 3


async def test_the_page_of_a_sim_comes_from_its_index(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    events = [noted(number, iccid) for number in range(2000)]
    await store(fleet, *events, *(noted(number, str(int(iccid) + 50 + number)) for number in range(2000)))
    async with fleet.sessions() as session:
        await session.execute(text("ANALYZE sim_events"))
        plan = await session.execute(
            text(
                "EXPLAIN SELECT * FROM sim_events WHERE iccid = :iccid AND organization_id = :owner "
                "ORDER BY at DESC, id DESC LIMIT 51"
            ),
            {"iccid": iccid, "owner": fleet.ours.id},
        )
        lines = "\n".join(plan.scalars())
    assert "ix_sim_events_iccid_at" in lines
    assert "Sort" not in lines


@pytest.mark.parametrize("shape", ["nested", "flat"])
async def test_what_the_carrier_pushes_is_what_it_lists(fleet: Fleet, shape: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    happen(fleet, iccid, 5)
    world, sim = fleet.sandbox.sandbox.world, fleet.sandbox.sims()[0]
    network.fail(world, sim, "APN_NOT_AUTHORIZED")
    records = [event_record(sim, event) for event in events_of(world, sim)]
    body = await pushed(fleet, *(flat(one) if shape == "flat" else one for one in records))
    assert body["events"] == len(records)
    of_push = await listed(fleet, iccid)
    assert (of_push[0]["cause"], of_push[0]["imsi"]) == ("APN_NOT_AUTHORIZED", sim.imsi)
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] == 0
    await fleet.rows("DELETE FROM sim_events RETURNING id")
    await fleet.rows("DELETE FROM sim_event_states RETURNING iccid")
    await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")
    assert await listed(fleet, iccid) == of_push


async def test_events_are_forgotten_after_their_time(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    now = datetime.now(UTC)
    await store(fleet, *(noted(n, iccid, at=now - timedelta(days=n)) for n in (1, 399, 401, 500)))
    assert await EventRetention(fleet.sessions, days=400).purge() == 2
    assert [item["id"] for item in await listed(fleet, iccid)] == ["1", "399"]

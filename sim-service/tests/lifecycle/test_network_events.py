"""Events of SIMs: kept once however they come, listed in pages, asked for where they are not known."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from once_sandbox.connectivity import sessions as network
from once_sandbox.events.models import LOCATION
from once_sandbox.events.service import record
from sim_service.carrier.errors import CarrierUnavailable
from sim_service.carrier.models import CarrierEvent
from sim_service.carrier.once import network as network_calls

from ..support import Fleet
from .network_events_support import happen, listed, noted, store


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
    monkeypatch.setattr(network_calls, "_EVENTS_PAGE_SIZE", 10)
    happen(fleet, iccid, 250)
    stored = (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"]
    assert stored > 250
    happen(fleet, iccid, 1)
    fleet.sandbox.calls.clear()
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/events/sync")).json()["stored"] == 1
    assert fleet.sandbox.called("/events") == 1


async def test_a_sync_that_breaks_off_leaves_no_gap(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    (iccid,) = await fleet.owned_sims(1)
    monkeypatch.setattr(network_calls, "_EVENTS_PAGE_SIZE", 10)
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

"""Events of SIMs: lists, filters, the job, and forgetting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fleet_kit.scope import EVERYTHING
from once_sandbox.connectivity import sessions as network
from once_sandbox.events.schemas import event_record
from once_sandbox.events.service import events_of
from once_sandbox.streams.flat import flat
from sim_service.carrier.models import CarrierEvent
from sim_service.lifecycle.network_events.repository import NetworkEventRepository
from sim_service.retention import retention_rules
from sim_service.work.jobs.models import JobKind

from ..push_support import pushed
from ..support import Fleet
from .network_events_support import NOON, happen, listed, noted, store


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
        left = await NetworkEventRepository(session, EVERYTHING).to_sync(
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
    forget = retention_rules(fleet.settings)["sim_events"]
    async with fleet.sessions.begin() as session:
        assert await forget(session) == 2
    assert [item["id"] for item in await listed(fleet, iccid)] == ["1", "399"]

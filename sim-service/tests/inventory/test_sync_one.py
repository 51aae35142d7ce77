"""Sync of one SIM, new SIMs and their owners, and syncs on schedule."""

import asyncio

import pytest
from fastapi import FastAPI

from sim_service.work.jobs.models import JobKind
from sim_service.work.schedules.service import Scheduler

from ..support import Fleet


async def test_new_sims_can_belong_to_one_organisation_from_the_start(fleet: Fleet) -> None:
    done = await fleet.sync(carrier_default_organization=fleet.ours.id)
    assert done["result"]["created"] == 250
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 250
    assert len(await fleet.events("sim.updated")) == 250


async def test_a_new_sim_that_is_fetched_alone_belongs_to_that_organisation_too(fleet: Fleet) -> None:
    fleet.app.state.settings = fleet.settings.model_copy(
        update={"carrier_default_organization": fleet.ours.id}
    )
    one = fleet.sandbox.sims()[0].iccid
    assert (await fleet.platform.post(f"/sims/{one}/sync")).status_code == 200
    assert (await fleet.ours.viewer.get(f"/sims/{one}")).status_code == 200


async def test_one_sim_is_synced_at_once(fleet: Fleet) -> None:
    (one,) = await fleet.owned_sims(1)
    fleet.sandbox.sims()[0].enabled = False
    answer = await fleet.ours.operator.post(f"/sims/{one}/sync")
    assert (answer.status_code, answer.json()["status"]) == (200, "disabled")
    assert (await fleet.ours.viewer.get(f"/sims/{one}")).json()["status"] == "disabled"
    assert [event["type"] for event in await fleet.events("sim.")] == ["sim.status_changed", "sim.updated"]


@pytest.mark.parametrize("form", ["spec", "recorded"])
async def test_a_sim_that_the_carrier_no_longer_knows_is_marked_not_lost(fleet: Fleet, form: str) -> None:
    fleet.sandbox.reset(form)
    (one,) = await fleet.owned_sims(1)
    del fleet.sandbox.sandbox.world.sims.by_iccid[one]
    answer = await fleet.ours.operator.post(f"/sims/{one}/sync")
    assert answer.status_code == 200
    assert answer.json()["missing_since"] is not None


async def test_the_recorded_form_of_answers_gives_the_same_sims(fleet: Fleet) -> None:
    (one,) = await fleet.owned_sims(1)
    spec = (await fleet.ours.viewer.get(f"/sims/{one}")).json()
    fleet.sandbox.reset("recorded")
    recorded = (await fleet.ours.operator.post(f"/sims/{one}/sync")).json()
    for name in ("status", "imsi", "label", "imei"):
        assert recorded[name] == spec[name]


async def test_while_the_carrier_is_away_syncing_one_says_so_and_reading_goes_on(fleet: Fleet) -> None:
    (one,) = await fleet.owned_sims(1)
    fleet.sandbox.broken = 503
    answer = await fleet.ours.operator.post(f"/sims/{one}/sync")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "CARRIER_UNAVAILABLE"
    assert int(answer.headers["Retry-After"]) >= 1
    assert (await fleet.ours.viewer.get(f"/sims/{one}")).status_code == 200
    fleet.sandbox.broken = None


async def test_a_platform_administrator_fetches_a_sim_not_yet_known(fleet: Fleet) -> None:
    one = fleet.sandbox.sims()[0].iccid
    assert (await fleet.ours.operator.post(f"/sims/{one}/sync")).status_code == 404
    assert (await fleet.platform.post(f"/sims/{one}/sync")).status_code == 200
    assert (await fleet.platform.post("/sims/8988280666999999999/sync")).status_code == 404


async def test_syncs_are_asked_for_on_schedule_once(fleet: Fleet) -> None:
    await Scheduler(fleet.sessions, {JobKind.SYNC_SIMS: 0}).request_due()
    assert (await fleet.platform.get("/jobs")).json()["total"] == 0
    schedule = Scheduler(fleet.sessions, {JobKind.SYNC_SIMS: 60})
    await asyncio.gather(schedule.request_due(), schedule.request_due())
    await schedule.request_due()
    assert (await fleet.platform.get("/jobs")).json()["total"] == 1
    await fleet.rows("UPDATE jobs SET state = 'succeeded', created_at = now() - interval '61 s' RETURNING id")
    await schedule.request_due()
    assert (await fleet.platform.get("/jobs")).json()["total"] == 2


async def test_jobs_are_paged_and_unknown_ones_not_found(fleet: Fleet) -> None:
    for _ in range(3):
        await fleet.ours.operator.post("/sims/sync-all")
        await fleet.rows("UPDATE jobs SET state = 'failed' RETURNING id")
    first = (await fleet.ours.viewer.get("/jobs", params={"page_size": 2})).json()
    rest = (
        await fleet.ours.viewer.get("/jobs", params={"page_size": 2, "cursor": first["next_cursor"]})
    ).json()
    ids = [one["id"] for one in first["items"] + rest["items"]]
    assert (first["total"], len(set(ids)), rest["next_cursor"]) == (3, 3, None)
    assert (await fleet.ours.viewer.get("/jobs/" + str(fleet.ours.id))).status_code == 404
    assert (await fleet.ours.viewer.get("/jobs/7")).status_code == 422
    assert (await fleet.ours.viewer.get("/jobs", params={"cursor": "WzEsMl0"})).status_code == 422


async def test_health_names_postgres(running_app: FastAPI, fleet: Fleet) -> None:
    answer = await fleet.anyone.get("http://sim/health")
    assert (answer.status_code, answer.json()["checks"]) == (200, {"postgres": "ok"})
    assert "carrier_requests_total" in (await fleet.anyone.get("http://sim/metrics")).text

"""Changes of SIMs are sent for organisations in turn, however many one of them has asked for."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.scope import EVERYTHING
from fleet_kit.testing import eventually
from sim_service.lifecycle.actions.leases import LeasedSim
from sim_service.lifecycle.actions.reconciler import ActionReconciler
from sim_service.lifecycle.actions.repository import ActionRepository

from ..support import Fleet, Organization
from ..test_plans import nodes, plan, queries, scanned

DRIFTED = """
    INSERT INTO sims (iccid, carrier, organization_id, status, desired_status, lifecycle, drift_due_at)
    SELECT CAST(:prefix AS text) || n, '1nce', :owner, 'disabled', 'enabled', 'drifted',
           now() - :age * interval '1 second'
    FROM generate_series(1, :number) n RETURNING iccid
"""


async def label(fleet: Fleet, iccid: str, *, theirs: bool = False) -> None:
    by = fleet.theirs if theirs else fleet.ours
    answer = await by.operator.patch(f"/sims/{iccid}", json={"label": "another"})
    assert answer.status_code == 202, answer.text


async def test_a_change_does_not_wait_for_all_that_another_organisation_has_asked_for(fleet: Fleet) -> None:
    """By chance half of the turns are theirs: that none of 30 is does not happen in our lives."""
    ours = await fleet.owned_sims(60)
    theirs = fleet.sandbox.sims()[60]
    await fleet.claim(theirs.iccid, by=fleet.theirs)
    for iccid in ours:
        await label(fleet, iccid)
    await label(fleet, theirs.iccid, theirs=True)
    reconciler = fleet.reconciler()
    for _ in range(30):
        assert await reconciler.once()
        if theirs.label == "another":
            break
    assert theirs.label == "another"


async def test_what_somebody_waits_for_goes_before_jobs_of_all(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(20)
    body = {"action": "label", "iccids": ours[:19], "params": {"label": "of a job"}}
    assert (await fleet.ours.operator.post("/sims/bulk", json=body)).status_code == 202
    assert await fleet.runner().once()
    await label(fleet, ours[19])
    assert await fleet.reconciler().once()
    assert [sim.label for sim in fleet.sandbox.sims()[:20]].count("another") == 1


async def test_whose_turn_it_is_is_found_by_index(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await label(fleet, iccid)
    engine: AsyncEngine = fleet.app.state.resources.engine
    with queries(engine) as asked:
        assert await fleet.reconciler().once()
    statement, given = next((one, asked[one]) for one in asked if "owners" in one)
    assert "sim_actions" not in await scanned(engine, statement, given)


async def drifted(fleet: Fleet, owner: Organization, prefix: str, *, number: int, age: int = 0) -> None:
    """SIMs of an organisation whose drift is to be checked since `age` seconds."""
    await fleet.rows(DRIFTED, owner=owner.id, prefix=prefix, number=number, age=age)


async def next_sims(fleet: Fleet, limit: int) -> Sequence[str]:
    async with fleet.sessions() as session:
        return await ActionRepository(session, EVERYTHING).due(limit)


async def test_a_drift_check_does_not_wait_for_thousands_of_another_organisation(fleet: Fleet) -> None:
    await drifted(fleet, fleet.ours, "ours", number=3000, age=600)
    await drifted(fleet, fleet.theirs, "theirs", number=1)
    assert "theirs1" in (await next_sims(fleet, 20))[:2]


async def test_a_drift_check_does_not_wait_for_the_job_of_another_organisation(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(60)
    await drifted(fleet, fleet.theirs, "theirs", number=1)
    body = {"action": "label", "iccids": ours, "params": {"label": "of a job"}}
    assert (await fleet.ours.operator.post("/sims/bulk", json=body)).status_code == 202
    assert await fleet.runner().once()
    assert "theirs1" in (await next_sims(fleet, 20))[:2]


async def test_requests_of_one_organisation_do_not_keep_all_workers_from_the_jobs_of_others(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for iccid in await fleet.owned_sims(20):
        await label(fleet, iccid)
    await drifted(fleet, fleet.theirs, "theirs", number=1)
    taken: list[UUID | None] = []

    async def reconcile(_: ActionReconciler, leased: LeasedSim) -> None:
        taken.append(leased.organization_id)
        await asyncio.Event().wait()

    async def all_busy() -> bool:
        return len(taken) == 4

    monkeypatch.setattr(ActionReconciler, "_reconcile", reconcile)
    working = asyncio.create_task(fleet.reconciler(action_parallel=4).run())
    try:
        await eventually(all_busy)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert taken.count(fleet.ours.id) == 3
    assert taken.count(fleet.theirs.id) == 1


async def test_a_drift_check_is_found_beside_a_hundred_thousand_of_another_organisation(fleet: Fleet) -> None:
    """By the planner's own choice, and of those hardly any is read."""
    await drifted(fleet, fleet.ours, "ours", number=100_000, age=600)
    await drifted(fleet, fleet.theirs, "theirs", number=1)
    engine: AsyncEngine = fleet.app.state.resources.engine
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE sims"))
    with queries(engine) as asked:
        async with fleet.app.state.resources.sessions() as session:
            assert "theirs1" in await ActionRepository(session, EVERYTHING).due(20)
            assert await session.scalar(text(READ)) < 1000
    statement, given = next((one, asked[one]) for one in asked if "owners" in one)
    of_sims = [
        node for node in nodes(await plan(engine, statement, given)) if node.get("Relation Name") == "sims"
    ]
    assert "Seq Scan" not in {node["Node Type"] for node in of_sims}


READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'sims'"

"""Changes of SIMs are sent for organisations in turn, however many one of them has asked for."""

from sqlalchemy.ext.asyncio import AsyncEngine

from ..support import Fleet
from ..test_plans import queries, scanned


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

"""How bulk jobs end: cancelled, in doubt, settled late; one after the other."""

from sim_service.work.jobs.handle import JobLease
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.runner import JobRunner

from ..billing_support import carrier_ledger
from ..support import Fleet
from ..test_plans import queries
from .bulk_support import PAID, bulk, items, job_of, release, run


async def test_an_ended_job_begins_nothing_more_and_follows_what_it_began(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    job = await bulk(fleet, "disable", ours[:2])
    await run(fleet)
    await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    await run(fleet)
    assert (await job_of(fleet, job))["state"] == "running"
    await fleet.reconcile()
    await run(fleet)
    assert (await job_of(fleet, job))["state"] == "cancelled"
    assert {item["state"] for item in await items(fleet, job)} == {"succeeded"}


async def test_what_was_not_begun_is_not_bought_after_the_end(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)

    async def begun_only(lease: JobLease) -> None:
        raise KeyError("stopped before anything")

    job = await bulk(fleet, "top_up", ours, params=PAID)
    await JobRunner(fleet.sessions, {JobKind.BULK: begun_only}, lease_seconds=3).once()
    await fleet.rows(
        "UPDATE job_items SET state = 'working', claimed_at = now() WHERE number = 1 RETURNING 1"
    )
    await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    await run(fleet)
    assert (await job_of(fleet, job))["state"] == "cancelled"
    assert [item["state"] for item in await items(fleet, job)] == ["cancelled"] * 3
    assert (await carrier_ledger(fleet))["topups_by_iccid"] == {}


async def test_a_bulk_action_that_nobody_had_begun_ends_with_each_sim_cancelled(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    job = await bulk(fleet, "tag", ours, params={"tags": ["unwanted"]})
    ended = (await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")).json()
    assert (ended["state"], ended["cancel_requested_at"] is not None) == ("queued", True)
    await run(fleet)
    over = await job_of(fleet, job)
    assert (over["state"], over["result"]) == ("cancelled", {"cancelled": 2})
    assert [item["state"] for item in await items(fleet, job)] == ["cancelled"] * 2
    assert (await fleet.ours.viewer.get(f"/sims/{ours[0]}")).json()["tags"] == []


async def test_a_worker_that_fails_does_not_keep_an_ended_job_from_its_true_result(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)

    async def broken(lease: JobLease) -> None:
        raise KeyError("broken")

    job = await bulk(fleet, "disable", ours)
    await run(fleet)
    await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    assert await JobRunner(fleet.sessions, {JobKind.BULK: broken}, lease_seconds=3).once()
    assert (await job_of(fleet, job))["finished_at"] is None
    await fleet.reconcile()
    await run(fleet)
    over = await job_of(fleet, job)
    assert (over["state"], over["result"]) == ("cancelled", {"succeeded": 2})


LONG_AGO = "now() - interval '3 hours'"


async def test_what_is_never_settled_stays_unknown_and_the_job_ends(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    job = await bulk(fleet, "disable", ours)
    await run(fleet)
    await fleet.rows(f"UPDATE job_items SET claimed_at = {LONG_AGO} RETURNING number")
    await run(fleet)
    assert (await job_of(fleet, job))["result"] == {"unknown": 2}
    assert (await job_of(fleet, job))["state"] == "succeeded"


async def test_a_job_goes_on_looking_as_long_as_sims_are_settled(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    job = await bulk(fleet, "disable", ours)
    await run(fleet)
    await fleet.rows(f"UPDATE job_items SET claimed_at = {LONG_AGO} RETURNING number")
    assert await fleet.reconciler().once()
    await run(fleet)
    waiting = await job_of(fleet, job)
    assert (waiting["state"], waiting["result"]) == ("running", {"working": 2, "succeeded": 1})
    await fleet.reconcile()
    await run(fleet)
    assert (await job_of(fleet, job))["result"] == {"succeeded": 3}


async def test_progress_moves_with_each_batch_and_nothing_counts_all_sims(fleet: Fleet) -> None:
    *ours, gone = await fleet.owned_sims(250)
    job = await bulk(fleet, "label", [gone, *ours], params={"label": "another"})
    assert (job["done"], job["result"]) == (0, {"pending": 250})
    await release(fleet, gone)
    with queries(fleet.app.state.resources.engine) as asked:
        assert await fleet.runner().once()
    assert not [one for one in asked if "job_items" in one and "count(" in one]
    waiting = await job_of(fleet, job)
    assert (waiting["done"], waiting["result"]) == (1, {"working": 249, "failed": 1})


async def test_jobs_of_one_organisation_follow_each_other_and_hold_up_nobody(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    foreign = fleet.sandbox.sims()[2].iccid
    await fleet.claim(foreign, by=fleet.theirs)
    first = await bulk(fleet, "tag", ours, params={"tags": ["a"]})
    await bulk(fleet, "untag", ours, params={"tags": ["a"]})
    other = (
        await fleet.theirs.operator.post("/sims/bulk", json={"action": "enable", "iccids": [foreign]})
    ).json()
    seen: list[str] = []

    async def note(lease: JobLease) -> None:
        seen.append(str(lease.id))
        if len(seen) == 1:
            assert await runner.once()
            assert not await runner.once(), "the second of ours waits for the first"

    runner = JobRunner(fleet.sessions, {JobKind.BULK: note}, lease_seconds=3)
    assert await runner.once()
    assert seen == [first["id"], other["id"]]

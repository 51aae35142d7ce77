"""Jobs for people: run now, filter, end; schedules that can be seen and changed."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from fleet_kit.limits import Limits
from fleet_kit.testing import eventually
from sim_service.work.jobs.handle import JobLease
from sim_service.work.jobs.kinds import KINDS
from sim_service.work.jobs.limits import job_limits
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.runner import JobRunner
from sim_service.work.jobs.service import JobService
from sim_service.work.schedules.service import Scheduler

from ..support import Fleet, Organization


async def asked(fleet: Fleet, who: Organization | None = None, **body: Any) -> dict[str, Any]:
    """A job that an operator asked for."""
    answer = await (who or fleet.ours).operator.post("/jobs", json={"kind": "refresh_quotas", **body})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json()['id']}"
    job: dict[str, Any] = answer.json()
    return job


async def state_of(fleet: Fleet, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = (await fleet.platform.get(f"/jobs/{job_id}")).json()
    return job


async def nothing(lease: JobLease) -> None:
    """A job with nothing to do."""


async def test_each_organisation_has_its_own_open_job_and_the_account_one_more(fleet: Fleet) -> None:
    ours, theirs = await asked(fleet), await asked(fleet, fleet.theirs)
    account = (await fleet.platform.post("/jobs", json={"kind": "refresh_quotas"})).json()
    assert [job["organization_id"] for job in (ours, theirs, account)] == [
        str(fleet.ours.id),
        str(fleet.theirs.id),
        None,
    ]
    assert (await asked(fleet))["id"] == ours["id"]
    assert len({job["id"] for job in (ours, theirs, account)}) == 3
    named = await fleet.platform.post(
        "/jobs", json={"kind": "refresh_quotas", "organization_id": str(fleet.theirs.id)}
    )
    assert named.json()["id"] == theirs["id"]


async def test_a_job_of_an_organisation_is_seen_by_nobody_else(fleet: Fleet) -> None:
    job = await asked(fleet)
    assert (await fleet.theirs.viewer.get(f"/jobs/{job['id']}")).status_code == 404
    assert (await fleet.theirs.operator.post(f"/jobs/{job['id']}/cancel")).status_code == 404
    assert (await fleet.theirs.viewer.get(f"/jobs/{job['id']}/items")).status_code == 404
    assert (await fleet.theirs.viewer.get("/jobs")).json()["total"] == 0
    assert (await fleet.ours.viewer.get("/jobs")).json()["total"] == 1


async def test_who_may_ask_for_which_job(fleet: Fleet) -> None:
    viewer = await fleet.ours.viewer.post("/jobs", json={"kind": "refresh_quotas"})
    assert viewer.status_code == 403
    other = {"kind": "refresh_quotas", "organization_id": str(fleet.theirs.id)}
    answer = await fleet.ours.operator.post("/jobs", json=other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ORGANIZATION_NOT_FOUND")
    whole = {"kind": "sync_sims", "organization_id": str(fleet.ours.id)}
    assert (await fleet.ours.operator.post("/jobs", json=whole)).status_code == 422
    for wrong in ({"kind": "conquer"}, {}, {"kind": "sync_sims", "speed": "high"}):
        assert (await fleet.ours.operator.post("/jobs", json=wrong)).status_code == 422


async def test_asking_twice_with_one_key_is_asking_once(fleet: Fleet) -> None:
    key = {"Idempotency-Key": "once"}
    first = await fleet.ours.operator.post("/jobs", json={"kind": "refresh_quotas"}, headers=key)
    await JobRunner(fleet.sessions, {JobKind.REFRESH_QUOTAS: nothing}, lease_seconds=3).once()
    again = await fleet.ours.operator.post("/jobs", json={"kind": "refresh_quotas"}, headers=key)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["state"] == "succeeded"


async def test_jobs_are_filtered_by_kind_and_state(fleet: Fleet) -> None:
    quotas = await asked(fleet)
    sync = (await fleet.ours.operator.post("/sims/sync-all")).json()
    await fleet.rows("UPDATE jobs SET state = 'failed' WHERE kind = 'sync_sims' RETURNING id")
    for query, expected in (
        ({"kind": "sync_sims"}, [sync["id"]]),
        ({"state": "queued"}, [quotas["id"]]),
        ({"state": "failed", "kind": "sync_sims"}, [sync["id"]]),
        ({"state": "running"}, []),
    ):
        page = (await fleet.ours.viewer.get("/jobs", params=query)).json()
        assert ([job["id"] for job in page["items"]], page["total"]) == (expected, len(expected))
    assert (await fleet.ours.viewer.get("/jobs", params={"state": "lazy"})).status_code == 422


async def test_a_job_nobody_has_begun_ends_at_once(fleet: Fleet) -> None:
    job = await asked(fleet)
    assert (await fleet.ours.viewer.post(f"/jobs/{job['id']}/cancel")).status_code == 403
    ended = await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    again = await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "JOB_OVER")
    assert not await fleet.runner().once()
    assert (await asked(fleet))["id"] != job["id"]


async def test_the_accounts_jobs_are_ended_by_the_platform_administrator_only(fleet: Fleet) -> None:
    job = (await fleet.ours.operator.post("/sims/sync-all")).json()
    assert (await fleet.ours.admin.post(f"/jobs/{job['id']}/cancel")).status_code == 403
    assert (await fleet.platform.post(f"/jobs/{job['id']}/cancel")).json()["state"] == "cancelled"


async def test_a_running_job_ends_after_the_part_in_hand(fleet: Fleet) -> None:
    begun, go_on, parts = asyncio.Event(), asyncio.Event(), []

    async def two_parts(lease: JobLease) -> None:
        for part in range(2):
            async with lease.sessions.begin() as session:
                await lease.lock_job(session)
            begun.set()
            await go_on.wait()
            async with lease.sessions.begin() as session:
                await lease.lock_job(session, finish_part=True)
                parts.append(part)

    job = await asked(fleet)
    work = asyncio.create_task(
        JobRunner(fleet.sessions, {JobKind.REFRESH_QUOTAS: two_parts}, lease_seconds=3).once()
    )
    await begun.wait()
    answer = (await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")).json()
    assert (answer["state"], answer["cancel_requested_at"] is not None) == ("running", True)
    go_on.set()
    assert await work
    assert ((await state_of(fleet, job["id"]))["state"], parts) == ("cancelled", [0])


async def test_a_job_that_failed_and_waits_can_be_ended(fleet: Fleet) -> None:
    async def broken(lease: JobLease) -> None:
        raise KeyError("broken")

    job = await asked(fleet)
    runner = JobRunner(fleet.sessions, {JobKind.REFRESH_QUOTAS: broken}, lease_seconds=3)
    await runner.once()
    await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    await runner.once()
    assert (await state_of(fleet, job["id"]))["state"] == "cancelled"


async def test_a_handler_knows_whose_job_it_does(fleet: Fleet) -> None:
    seen: list[tuple[UUID | None, UUID | None, dict[str, Any]]] = []

    async def note(lease: JobLease) -> None:
        seen.append((lease.organization_id, lease.scope.organization_id, dict(lease.params)))

    async with fleet.sessions.begin() as session:
        limits = Limits(session, job_limits(fleet.settings))
        await JobService(session, limits=limits).request(
            JobKind.REFRESH_QUOTAS, organization_id=fleet.ours.id, params={"only": "data"}
        )
    await JobRunner(fleet.sessions, {JobKind.REFRESH_QUOTAS: note}, lease_seconds=3).once()
    assert seen == [(fleet.ours.id, fleet.ours.id, {"only": "data"})]


async def test_of_several_that_lease_at_once_each_job_goes_to_one(fleet: Fleet) -> None:
    jobs = [await asked(fleet), await asked(fleet, fleet.theirs)]
    runner = JobRunner(fleet.sessions, {JobKind.REFRESH_QUOTAS: nothing}, lease_seconds=3)
    leases = await asyncio.gather(*(runner.take([JobKind.REFRESH_QUOTAS]) for _ in range(5)))
    assert sorted(str(lease.id) for lease in leases if lease) == sorted(job["id"] for job in jobs)


async def test_a_worker_leases_only_the_kinds_that_it_asks_for(fleet: Fleet) -> None:
    await asked(fleet)
    runner = JobRunner(fleet.sessions, {}, lease_seconds=3)
    assert await runner.take([JobKind.SYNC_SIMS]) is None
    assert await runner.take([JobKind.REFRESH_QUOTAS]) is not None


async def test_schedules_are_seen_by_all_and_changed_by_the_platform(fleet: Fleet) -> None:
    page = (await fleet.ours.viewer.get("/jobs/schedules")).json()
    assert {row["kind"] for row in page["items"]} == {k for k, rules in KINDS.items() if rules.every}
    assert page["total"] == len(page["items"])
    path = "/jobs/schedules/sync_sims"
    assert (await fleet.ours.admin.patch(path, json={"paused": True})).status_code == 403
    paused = (await fleet.platform.patch(path, json={"paused": True, "every_seconds": 60})).json()
    assert (paused["paused"], paused["every_seconds"], paused["next_at"]) == (True, 60, None)
    going = (await fleet.platform.patch(path, json={"paused": False})).json()
    assert (going["every_seconds"], going["next_at"] is not None) == (60, True)
    default = (await fleet.platform.patch(path, json={"every_seconds": None})).json()
    assert default["every_seconds"] == default["default_every_seconds"] == 0
    unknown = await fleet.platform.patch("/jobs/schedules/refresh_quotas", json={"paused": True})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "SCHEDULE_NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [{"every_seconds": -1}, {"every_seconds": 1e-6}, {"every_seconds": 1e9}, {"cron": "*"}, {"paused": "x"}],
)
async def test_a_schedule_refuses_what_it_cannot_be(fleet: Fleet, body: dict[str, Any]) -> None:
    assert (await fleet.platform.patch("/jobs/schedules/sync_sims", json=body)).status_code == 422


async def test_a_paused_schedule_asks_for_nothing_until_it_goes_on(fleet: Fleet) -> None:
    schedules = Scheduler(fleet.sessions, {JobKind.SYNC_SIMS: 60})
    await fleet.platform.patch("/jobs/schedules/sync_sims", json={"paused": True})
    await schedules.request_due()
    assert (await fleet.platform.get("/jobs")).json()["total"] == 0
    assert await schedules.request_due() is None
    await fleet.platform.patch("/jobs/schedules/sync_sims", json={"paused": False})
    await schedules.request_due()
    await schedules.request_due()
    assert (await fleet.platform.get("/jobs")).json()["total"] == 1
    assert await schedules.request_due() is not None


async def test_a_job_for_one_organisation_does_not_put_off_the_accounts(fleet: Fleet) -> None:
    await asked(fleet)
    await Scheduler(fleet.sessions, {JobKind.REFRESH_QUOTAS: 60}).request_due()
    owners = await fleet.rows("SELECT organization_id FROM jobs ORDER BY id")
    assert [row.organization_id for row in owners] == [fleet.ours.id, None]


async def test_a_lost_lease_is_noticed_while_the_handler_waits(fleet: Fleet) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def waits(lease: JobLease) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await asked(fleet)
    work = asyncio.create_task(
        JobRunner(fleet.sessions, {JobKind.REFRESH_QUOTAS: waits}, lease_seconds=0.3).once()
    )
    await begun.wait()
    await fleet.rows("UPDATE jobs SET leased_by = 'another' RETURNING id")
    assert await work
    await eventually(lambda: _is_set(stopped))


async def test_a_failure_of_the_scheduler_does_not_end_the_worker(fleet: Fleet) -> None:
    later_than_any_date = 1e12
    await Scheduler(fleet.sessions, {JobKind.SYNC_SIMS: 60}).request_due()
    scheduler = Scheduler(fleet.sessions, {JobKind.SYNC_SIMS: later_than_any_date})
    with pytest.raises(OverflowError):
        await scheduler.request_due()
    running = asyncio.create_task(scheduler.run())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(running), 0.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def fails(fleet: Fleet, times: int, *, progress: int) -> tuple[str, int]:
    """State and failures of a job whose handler gets on by `progress` parts each time, and then fails."""

    async def broken(lease: JobLease) -> None:
        async with lease.sessions.begin() as session:
            job = await lease.lock_job(session)
            job.done += progress
        raise KeyError("broken")

    await asked(fleet)
    runner = JobRunner(fleet.sessions, {JobKind.REFRESH_QUOTAS: broken}, lease_seconds=30)
    for _ in range(times):
        await fleet.rows("UPDATE jobs SET due_at = now() RETURNING id")
        assert await runner.once()
    ((state, failures),) = await fleet.rows("SELECT state, failures FROM jobs")
    return state, failures


async def test_a_job_that_always_fails_at_the_same_place_is_given_up(fleet: Fleet) -> None:
    assert await fails(fleet, 30, progress=0) == ("failed", 30)


async def test_a_job_that_gets_on_between_its_failures_is_not_given_up(fleet: Fleet) -> None:
    assert await fails(fleet, 31, progress=1) == ("queued", 1)


async def test_a_job_with_which_worker_after_worker_dies_is_given_up(fleet: Fleet) -> None:
    job = await asked(fleet)
    runner = JobRunner(fleet.sessions, {JobKind.REFRESH_QUOTAS: nothing}, lease_seconds=30)
    for _ in range(30):
        assert await runner.take([JobKind.REFRESH_QUOTAS])
        await fleet.rows("UPDATE jobs SET leased_until = now() - interval '1 s' RETURNING id")
    assert await runner.once()
    found = await state_of(fleet, job["id"])
    assert (found["state"], found["error"]) == ("failed", "unexpected: WorkersDied")


async def _is_set(event: asyncio.Event) -> bool:
    return event.is_set()

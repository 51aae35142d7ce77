"""Long jobs, which ask the carrier for each SIM: organisations share the workers' slots for them."""

from sim_service.work.jobs.handle import JobLease
from sim_service.work.jobs.kinds import KINDS, LONG
from sim_service.work.jobs.runner import JobRunner

from ..support import Fleet
from .test_jobs import asked


async def nothing(lease: JobLease) -> None:
    """A job that is done at once."""


async def test_long_jobs_of_one_organisation_leave_slots_to_others(fleet: Fleet) -> None:
    for kind in ("sync_usage", "sync_events", "forecast_quotas", "refresh_quotas"):
        await asked(fleet, kind=kind)
    theirs = await asked(fleet, fleet.theirs)
    runner = JobRunner(fleet.sessions, dict.fromkeys(KINDS, nothing), lease_seconds=3)
    taken = [await runner.take(LONG) for _ in range(4)]
    assert [lease.organization_id for lease in taken if lease] == [fleet.ours.id] * 2 + [fleet.theirs.id]
    assert taken[2] is not None
    assert str(taken[2].id) == theirs["id"]
    assert taken[0] is not None
    await runner.run(taken[0])
    another = await runner.take(LONG)
    assert another is not None, "it has its turn when one of them is over"

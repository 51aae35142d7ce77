"""The worker's queries on jobs use indexes, whatever the planner would like on small tables."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.scope import EVERYTHING
from sim_service.jobs.kinds import default_periods
from sim_service.jobs.models import JobKind
from sim_service.jobs.repository import JobRepository
from sim_service.schedules.service import Schedules

from .support import Fleet
from .test_plans import queries, scanned

BIG = {"jobs", "job_items", "job_pages", "t_idempotency_keys"}


async def test_giving_out_working_on_and_forgetting_jobs_needs_no_whole_table(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    engine: AsyncEngine = fleet.app.state.resources.engine
    sessions = fleet.app.state.resources.sessions
    body = {"action": "tag", "iccids": ours, "params": {"tags": ["a"]}}
    with queries(engine) as asked:
        await fleet.ours.operator.post("/sims/bulk", json=body)
        async with sessions.begin() as session:
            jobs = JobRepository(session, EVERYTHING)
            await jobs.announce(tuple(JobKind), new=True, lost_after=None, limit=10)
            await jobs.announce(tuple(JobKind), new=False, lost_after=timedelta(seconds=2), limit=10)
        await fleet.request(JobKind.CLEANUP)
        runner = fleet.runner()
        while await runner.once():
            pass
        await Schedules(sessions, default_periods(fleet.settings)).look()
    assert len(asked) > 12, "the worker has more queries than that"
    whole = [
        f"{tables}: {' '.join(statement.split())}"
        for statement, given in asked.items()
        if (tables := await scanned(engine, statement, given) & BIG)
    ]
    assert not whole, "\n".join(whole)

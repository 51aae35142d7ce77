"""The worker's queries on jobs use indexes, whatever the planner would like on small tables."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.scope import EVERYTHING
from sim_service.work.jobs.kinds import LONG, OTHERS, STEPWISE, default_periods
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.repository import JobRepository
from sim_service.work.schedules.service import Scheduler

from ..support import Fleet
from ..test_plans import queries, scanned

BIG = {
    *("sim_imports", "jobs", "job_items", "job_pages", "t_idempotency_keys"),
    *("policy_decisions", "sim_actions", "sim_events", "sms_messages"),
}


async def test_giving_out_working_on_and_forgetting_jobs_needs_no_whole_table(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    engine: AsyncEngine = fleet.app.state.resources.engine
    sessions = fleet.app.state.resources.sessions
    body = {"action": "tag", "iccids": ours, "params": {"tags": ["a"]}}
    with queries(engine) as asked:
        await fleet.ours.operator.post("/sims/bulk", json=body)
        async with sessions() as session:
            jobs = JobRepository(session, EVERYTHING)
            for kinds in (LONG, OTHERS, STEPWISE):
                await jobs.take("a worker that rolls back", timedelta(seconds=30), kinds)
            await jobs.last_finished(JobKind.SYNC_SIMS, datetime.now(UTC))
            await session.rollback()
        await fleet.request(JobKind.CLEANUP)
        runner = fleet.runner()
        while await runner.once():
            pass
        await Scheduler(sessions, default_periods(fleet.settings)).request_due()
    assert len(asked) > 12, "the worker has more queries than that"
    whole = [
        f"{tables}: {' '.join(statement.split())}"
        for statement, given in asked.items()
        if (tables := await scanned(engine, statement, given) & BIG)
    ]
    assert not whole, "\n".join(whole)

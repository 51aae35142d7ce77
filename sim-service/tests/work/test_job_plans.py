"""The worker's queries on jobs use indexes, whatever the planner would like on small tables."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.scope import EVERYTHING
from sim_service.work.jobs.kinds import LONG, OTHERS, STEPWISE, default_periods
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.repository import JobRepository
from sim_service.work.schedules.service import Scheduler

from ..support import Fleet
from ..test_plans import nodes, queries, scanned

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


async def test_of_thousands_of_jobs_the_worker_does_not_ask_for_each_whether_it_may_begin(
    fleet: Fleet,
) -> None:
    """One organisation's oldest job is at work, and the others wait for it, behind many that are over."""
    await fleet.rows(
        """
        INSERT INTO jobs (id, kind, state, organization_id, done, result, failures, leased_until, created_at)
        SELECT gen_random_uuid(), 'bulk',
            CASE WHEN n < 300 THEN 'succeeded' WHEN n = 300 THEN 'running' ELSE 'queued' END,
            :owner, 0, '{}', 0, CASE WHEN n = 300 THEN now() + interval '1 h' END, now() + n * interval '1 ms'
        FROM generate_series(0, 599) AS n RETURNING id
        """,
        owner=fleet.ours.id,
    )
    resources = fleet.app.state.resources
    with queries(resources.engine) as asked:
        async with resources.sessions() as session:
            taken = await JobRepository(session, EVERYTHING).take("nobody", timedelta(seconds=30), OTHERS)
            assert taken is None
    (statement,) = (one for one in asked if "jobs" in one)
    async with resources.engine.connect() as connection:
        await connection.execute(text("ANALYZE jobs"))
        shown = await connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", asked[statement]
        )
        answer = shown.scalar_one()
        await connection.rollback()
    plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    often = [node["Node Type"] for node in nodes(plan) if node["Actual Loops"] > 10]
    assert not often, f"once for each job that waits: {often}"

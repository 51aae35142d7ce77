"""Who runs what is due: at once after the commit, by the poll when the notification is lost, and once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import asyncpg
import httpx
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fleet_kit.notifications import Notifications
from fleet_kit.testing import eventually
from sim_service.settings import Settings
from sim_service.work.jobs.dispatcher import JobDispatcher
from sim_service.work.jobs.handle import JobLease
from sim_service.work.jobs.kinds import LONG
from sim_service.work.jobs.models import CHANNEL, JobKind
from sim_service.work.jobs.runner import JobRunner
from sim_service.work.schedules.service import Scheduler

from ..conftest import free_port
from ..support import Fleet, SandboxUnderTest
from ..test_worker import _count as counted
from ..test_worker import database, environment, fresh, healthy, process

__all__ = ["database", "fresh"]

NEVER = 3600.0


class Replica:
    """A worker's dispatcher, in this process. It polls so rarely that only notifications can wake it."""

    def __init__(
        self, fleet: Fleet, *, slots: int = 2, poll: float = NEVER, listens_to: AsyncEngine | None = None
    ) -> None:
        self.started: list[JobLease] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        runner = JobRunner(fleet.sessions, dict.fromkeys(JobKind, self._work), lease_seconds=3)
        self.notifications = Notifications(listens_to or fleet.app.state.resources.engine, CHANNEL)
        self.dispatcher = JobDispatcher(runner, self.notifications, slots=slots, poll_seconds=poll)

    async def _work(self, lease: JobLease) -> None:
        self.started.append(lease)
        await self.go_on.wait()

    async def has_started(self, number: int = 1) -> bool:
        return len(self.started) == number

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Replica"]:
        task = asyncio.create_task(self.dispatcher.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def over(fleet: Fleet, number: int = 1) -> bool:
    rows = await fleet.rows("SELECT count(*) AS n FROM jobs WHERE state = 'succeeded'")
    return bool(rows[0].n == number)


async def listening(fleet: Fleet, number: int = 1) -> bool:
    """Whether so many replicas listen."""
    rows = await fleet.rows(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
        f" AND application_name = 'listen {CHANNEL}' AND state = 'idle'"
    )
    return bool(rows[0].n == number)


async def test_a_job_starts_at_once_after_its_commit(fleet: Fleet) -> None:
    replica, clock = Replica(fleet), asyncio.get_running_loop()
    async with replica.running():
        await eventually(lambda: listening(fleet))
        delays = []
        for number in range(1, 4):
            committed = clock.time()
            await fleet.request(JobKind.SYNC_SIMS)
            await eventually(partial(over, fleet, number))
            delays.append(clock.time() - committed)
        assert min(delays) < 0.8, delays


async def test_a_job_whose_notification_was_lost_is_found_by_the_poll(fleet: Fleet) -> None:
    nowhere = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    async with Replica(fleet, poll=0.1, listens_to=nowhere).running():
        await fleet.request(JobKind.SYNC_SIMS)
        await eventually(lambda: over(fleet))


async def test_a_job_that_was_due_before_the_worker_came_is_started(fleet: Fleet) -> None:
    await fleet.request(JobKind.SYNC_SIMS)
    async with Replica(fleet).running():
        await eventually(lambda: over(fleet))


async def test_of_two_replicas_one_works_on_a_job(fleet: Fleet) -> None:
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(Replica(fleet).running()) for _ in range(2)]
        await eventually(lambda: listening(fleet, 2))
        await fleet.request(JobKind.SYNC_SIMS)
        await fleet.request(JobKind.REFRESH_QUOTAS)
        await eventually(lambda: over(fleet, 2))
    started = [lease.id for replica in replicas for lease in replica.started]
    assert len(started) == len(set(started)) == 2


async def test_long_jobs_leave_room_for_the_others(fleet: Fleet) -> None:
    replica = Replica(fleet, slots=2)
    replica.go_on.clear()
    for kind in (JobKind.SYNC_USAGE, JobKind.SYNC_EVENTS, JobKind.FORECAST_QUOTAS, JobKind.SYNC_SIMS):
        await fleet.request(kind)
    async with replica.running():
        await eventually(lambda: replica.has_started(3))
        (waiting,) = await fleet.rows("SELECT kind FROM jobs WHERE state = 'queued'")
        assert waiting.kind in LONG
        replica.go_on.set()
        await eventually(lambda: over(fleet, 4))


async def test_long_jobs_do_not_keep_policies_from_being_evaluated(fleet: Fleet) -> None:
    replica = Replica(fleet, slots=1)
    replica.go_on.clear()
    for kind in (JobKind.SYNC_USAGE, JobKind.SYNC_SIMS, JobKind.APPLY_POLICIES):
        await fleet.request(kind)
    async with replica.running():
        await eventually(lambda: replica.has_started(3))
        replica.go_on.set()
        await eventually(lambda: over(fleet, 3))


async def test_a_worker_without_free_slots_leaves_jobs_to_others(fleet: Fleet) -> None:
    busy, idle = Replica(fleet, slots=1), Replica(fleet, slots=1)
    busy.go_on.clear()
    async with busy.running():
        await fleet.request(JobKind.SYNC_SIMS)
        await eventually(busy.has_started)
        await fleet.request(JobKind.SYNC_ORDERS)
        async with idle.running():
            await eventually(lambda: over(fleet))
            assert [lease.id for lease in idle.started] != [lease.id for lease in busy.started]
        busy.go_on.set()
        await eventually(lambda: over(fleet, 2))


async def test_a_slot_that_becomes_free_takes_the_next_job(fleet: Fleet) -> None:
    for kind in (JobKind.SYNC_SIMS, JobKind.SYNC_ORDERS, JobKind.SYNC_TICKETS):
        await fleet.request(kind)
    async with Replica(fleet, slots=1).running():
        await eventually(lambda: over(fleet, 3))


async def test_a_stopped_worker_gives_its_job_back_at_once(fleet: Fleet) -> None:
    first, second = Replica(fleet), Replica(fleet)
    first.go_on.clear()
    async with AsyncExitStack() as stack:
        async with first.running():
            await fleet.request(JobKind.SYNC_SIMS)
            await eventually(first.has_started)
            await stack.enter_async_context(second.running())
            await eventually(lambda: listening(fleet, 2))
        await eventually(lambda: over(fleet))
    assert await second.has_started()


async def test_a_scheduled_job_is_requested_when_it_is_due(fleet: Fleet) -> None:
    scheduler = asyncio.create_task(Scheduler(fleet.sessions, {JobKind.SYNC_SIMS: NEVER}).run())
    async with Replica(fleet).running():
        await eventually(lambda: over(fleet))
    scheduler.cancel()
    await asyncio.gather(scheduler, return_exceptions=True)
    assert (await fleet.rows("SELECT count(*) AS n FROM jobs"))[0].n == 1


def pages_read(sandbox: SandboxUnderTest) -> int:
    return sum(path.endswith("/v2/sims") for path in sandbox.calls)


async def test_a_killed_workers_job_is_finished_by_the_other(
    fresh: Settings, database: asyncpg.Connection, sandbox: SandboxUnderTest
) -> None:
    ports = [free_port(), free_port()]
    env = environment(
        fresh,
        SIM_SYNC_EVERY_SECONDS="3600",
        CARRIER_REQUESTS_PER_SECOND="1",
        SYNC_PARALLEL_PAGES="1",
        JOB_LEASE_SECONDS="2",
    )
    sandbox.calls.clear()
    async with process("sim_service.worker", env | {"WORKER_PORT": str(ports[0])}) as first:
        await eventually(lambda: counted(database, "SELECT count(*) > 0 FROM job_pages"), timeout=90)
        sandbox.broken = 503
        async with process("sim_service.worker", env | {"WORKER_PORT": str(ports[1])}):
            await eventually(lambda: healthy(ports[1]), timeout=90)
            pages = await database.fetchval("SELECT count(*) FROM job_pages")
            first.kill()
            await first.wait()
            sandbox.broken = None
            sandbox.calls.clear()
            done = "SELECT count(*) = 1 FROM jobs WHERE kind = 'sync_sims' AND state = 'succeeded'"
            await eventually(lambda: counted(database, done), timeout=90)
    assert await database.fetchval("SELECT count(*) FROM jobs WHERE kind = 'sync_sims'") == 1
    assert await database.fetchval("SELECT count(*) FROM sims") == 250
    assert pages_read(sandbox) == 3 - pages < 3


async def test_two_replicas_that_start_at_once_sync_once(
    fresh: Settings, database: asyncpg.Connection, sandbox: SandboxUnderTest
) -> None:
    ports = [free_port(), free_port()]
    env = environment(fresh, SIM_SYNC_EVERY_SECONDS="3600")
    sandbox.calls.clear()
    async with AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(process("sim_service.worker", env | {"WORKER_PORT": str(port)}))
        await asyncio.gather(*(eventually(partial(healthy, port), timeout=90) for port in ports))
        done = "SELECT count(*) = 1 FROM jobs WHERE kind = 'sync_sims' AND state = 'succeeded'"
        await eventually(lambda: counted(database, done), timeout=90)
        async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
            metrics = [(await http.get(f"http://127.0.0.1:{port}/metrics")).text for port in ports]
    assert sum('sim_jobs_total{kind="sync_sims",outcome="succeeded"} 1.0' in one for one in metrics) == 1
    assert pages_read(sandbox) == 3

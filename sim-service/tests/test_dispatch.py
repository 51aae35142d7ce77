"""Who works on what is due: by hints over the broker, and by the look where there are none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import quote, urlsplit
from uuid import uuid4

import aio_pika
import asyncpg
import httpx

from fleet_contracts.topology import SIM_TASKS
from fleet_infra.broker_users import broker_users
from fleet_infra.secret_store import Secrets
from fleet_kit.testing import eventually
from sim_service.dispatch.hints import Hints, Receivers
from sim_service.dispatch.pool import JobPool
from sim_service.dispatch.service import DISPATCHED, Dispatcher
from sim_service.dispatch.ticks import Ticks
from sim_service.jobs.kinds import LONG
from sim_service.jobs.models import JobKind
from sim_service.jobs.runner import Held, JobRunner
from sim_service.schedules.service import Schedules
from sim_service.settings import Settings

from .conftest import free_port
from .support import Fleet, SandboxUnderTest
from .test_worker import _count as counted
from .test_worker import database, environment, fresh, healthy, process

__all__ = ["database", "fresh"]


class Replica:
    """A worker's part of dispatching, in this process."""

    def __init__(self, fleet: Fleet, amqp: str, *, slots: int = 2, every: float = 0) -> None:
        self.began: list[Held] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        runner = JobRunner(fleet.sessions, dict.fromkeys(JobKind, self._work), lease=3)
        schedules = Schedules(fleet.sessions, {JobKind.SYNC_SIMS: every})
        self.pool = JobPool(runner, slots)
        self.hints = Hints(
            amqp,
            Receivers(self.pool.offer, schedules.look),
            Ticks(schedules),
            name="test",
            timeout_seconds=2,
        )
        self.dispatcher = Dispatcher(fleet.sessions, self.hints, self.pool)

    async def _work(self, held: Held) -> None:
        self.began.append(held)
        await self.go_on.wait()

    async def connected(self) -> bool:
        return self.hints.connected

    @asynccontextmanager
    async def running(self, *, with_hints: bool = True) -> AsyncIterator["Replica"]:
        tasks = [asyncio.create_task(self.pool.run())]
        try:
            if with_hints:
                tasks.append(asyncio.create_task(self.hints.run()))
                await eventually(self.connected)
            tasks.append(asyncio.create_task(self.dispatcher.run()))
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def over(fleet: Fleet, number: int = 1) -> bool:
    rows = await fleet.rows("SELECT count(*) AS n FROM jobs WHERE state = 'succeeded'")
    return bool(rows[0].n == number)


def dispatched(way: str) -> float:
    return float(DISPATCHED.labels(way)._value.get())


async def test_of_two_replicas_one_works_on_a_job(fleet: Fleet, amqp_url: str) -> None:
    before = dispatched("broker")
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(Replica(fleet, amqp_url).running()) for _ in range(2)]
        await fleet.request(JobKind.SYNC_SIMS)
        await fleet.request(JobKind.REFRESH_QUOTAS)
        await eventually(lambda: over(fleet, 2))
    began = [held.id for replica in replicas for held in replica.began]
    assert len(began) == len(set(began)) == 2
    assert dispatched("broker") == before + 2


async def test_long_jobs_leave_room_for_the_others(fleet: Fleet, amqp_url: str) -> None:
    replica = Replica(fleet, amqp_url, slots=2)
    replica.go_on.clear()
    for kind in (JobKind.SYNC_USAGE, JobKind.SYNC_EVENTS, JobKind.FORECAST_QUOTAS, JobKind.SYNC_SIMS):
        await fleet.request(kind)

    async def three_began() -> bool:
        return len(replica.began) == 3

    async with replica.running():
        await eventually(three_began)
        (waiting,) = await fleet.rows("SELECT kind FROM jobs WHERE state = 'queued'")
        assert waiting.kind in LONG
        replica.go_on.set()
        await eventually(lambda: over(fleet, 4))


async def test_a_job_whose_hint_was_lost_is_begun_a_little_later(fleet: Fleet, amqp_url: str) -> None:
    await fleet.request(JobKind.SYNC_SIMS)
    await fleet.rows("UPDATE jobs SET announced_at = now() RETURNING id")
    replica = Replica(fleet, amqp_url)
    async with replica.running():
        await replica.dispatcher.look()
        assert replica.began == []
        await fleet.rows("UPDATE jobs SET announced_at = now() - interval '3 s' RETURNING id")
        await eventually(lambda: over(fleet))


async def test_without_the_broker_jobs_go_on(fleet: Fleet) -> None:
    before = dispatched("direct")
    replica = Replica(fleet, "amqp://127.0.0.1:1/")
    async with replica.running(with_hints=False):
        await fleet.request(JobKind.SYNC_SIMS)
        await eventually(lambda: over(fleet))
    assert dispatched("direct") > before


async def test_a_broker_without_the_queue_is_left_as_it_is(
    fleet: Fleet, make_amqp_url: Callable[[], str]
) -> None:
    amqp = make_amqp_url()
    connection = await aio_pika.connect(amqp)
    async with connection:
        channel = await connection.channel()
        await channel.queue_delete(SIM_TASKS.name)
        replica = Replica(fleet, amqp)
        hints = asyncio.create_task(replica.hints.run())
        async with replica.running(with_hints=False):
            await fleet.request(JobKind.SYNC_SIMS)
            await eventually(lambda: over(fleet))
        assert not replica.hints.connected
        hints.cancel()
        await asyncio.gather(hints, return_exceptions=True)
        try:
            await channel.get_queue(SIM_TASKS.name)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return
    raise AssertionError("the queue was declared")


async def test_a_full_worker_leaves_jobs_to_others(fleet: Fleet, amqp_url: str) -> None:
    busy, idle = Replica(fleet, amqp_url, slots=1), Replica(fleet, amqp_url, slots=1)
    busy.go_on.clear()
    async with busy.running():
        await fleet.request(JobKind.SYNC_SIMS)
        await eventually(lambda: began(busy))
        await fleet.request(JobKind.SYNC_ORDERS)
        async with idle.running():
            await eventually(lambda: over(fleet))
            assert [held.id for held in idle.began] != [held.id for held in busy.began]
        busy.go_on.set()
        await eventually(lambda: over(fleet, 2))


async def began(replica: Replica) -> bool:
    return bool(replica.began)


async def test_a_stopped_worker_gives_its_job_back_at_once(fleet: Fleet, amqp_url: str) -> None:
    first, second = Replica(fleet, amqp_url), Replica(fleet, amqp_url)
    first.go_on.clear()
    async with first.running():
        await fleet.request(JobKind.SYNC_SIMS)
        await eventually(lambda: began(first))
    assert (await fleet.rows("SELECT state FROM jobs"))[0].state == "queued"
    async with second.running():
        await eventually(lambda: over(fleet))


async def test_schedules_tick_over_the_broker_when_they_are_due(fleet: Fleet, amqp_url: str) -> None:
    replica = Replica(fleet, amqp_url, every=3600)
    async with replica.running():
        await eventually(lambda: over(fleet), timeout=20)
    assert (await fleet.rows("SELECT count(*) AS n FROM jobs"))[0].n == 1


async def test_hints_come_back_after_their_connections_were_cut(
    fleet: Fleet, amqp_url: str, rabbitmq_management: httpx.Client
) -> None:
    replica = Replica(fleet, amqp_url)
    async with replica.running():
        await eventually(lambda: cut(rabbitmq_management, f"test:{SIM_TASKS.name}"), timeout=20)
        before = dispatched("broker")
        for _ in range(2):
            await fleet.request(JobKind.SYNC_SIMS)
            await eventually(lambda: over(fleet), timeout=20)
            await fleet.rows("DELETE FROM jobs RETURNING id")
        await eventually(lambda: again_by_broker(fleet, before), timeout=30)


async def test_the_rights_of_the_services_own_user_suffice(
    fleet: Fleet, amqp_url: str, rabbitmq_management: httpx.Client
) -> None:
    rights = next(user for user in broker_users(Secrets()) if user.name == "fleet-sim")
    parts = urlsplit(amqp_url)
    name, vhost = f"sim-{uuid4().hex[:8]}", parts.path[1:]
    given = {"configure": rights.configure, "write": rights.write, "read": rights.read}
    user = {"password": "pw-of-a-test", "tags": ""}
    for path, body in ((f"/users/{name}", user), (f"/permissions/{vhost}/{name}", given)):
        (await asyncio.to_thread(rabbitmq_management.put, path, json=body)).raise_for_status()
    before = dispatched("broker")
    try:
        replica = Replica(fleet, f"amqp://{name}:pw-of-a-test@{parts.hostname}:{parts.port}/{vhost}")
        async with replica.running():
            await fleet.request(JobKind.SYNC_SIMS)
            await eventually(lambda: over(fleet))
        assert (dispatched("broker"), len(replica.began)) == (before + 1, 1)
    finally:
        await asyncio.to_thread(rabbitmq_management.delete, f"/users/{name}")


async def cut(management: httpx.Client, name: str) -> bool:
    """Close the connections of this name; the management page knows them some seconds late."""
    found = [
        one["name"]
        for one in (await asyncio.to_thread(management.get, "/connections")).json()
        if one.get("client_properties", {}).get("connection_name") == name
    ]
    for one in found:
        await asyncio.to_thread(management.delete, f"/connections/{quote(one, safe='')}")
    return bool(found)


async def again_by_broker(fleet: Fleet, before: float) -> bool:
    await fleet.request(JobKind.REFRESH_QUOTAS)
    return dispatched("broker") > before


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
        await eventually(lambda: counted(database, "SELECT count(*) > 0 FROM job_pages"), timeout=30)
        sandbox.broken = 503
        async with process("sim_service.worker", env | {"WORKER_PORT": str(ports[1])}):
            await eventually(lambda: healthy(ports[1]), timeout=30)
            pages = await database.fetchval("SELECT count(*) FROM job_pages")
            first.kill()
            await first.wait()
            sandbox.broken = None
            sandbox.calls.clear()
            done = "SELECT count(*) = 1 FROM jobs WHERE kind = 'sync_sims' AND state = 'succeeded'"
            await eventually(lambda: counted(database, done), timeout=30)
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
        await asyncio.gather(*(eventually(partial(healthy, port), timeout=30) for port in ports))
        done = "SELECT count(*) = 1 FROM jobs WHERE kind = 'sync_sims' AND state = 'succeeded'"
        await eventually(lambda: counted(database, done), timeout=30)
        async with httpx.AsyncClient(trust_env=False) as http:
            metrics = [(await http.get(f"http://127.0.0.1:{port}/metrics")).text for port in ports]
    assert sum('sim_jobs_total{kind="sync_sims",outcome="succeeded"} 1.0' in one for one in metrics) == 1
    assert pages_read(sandbox) == 3

"""The real processes: API and worker as they are started, with broker, database, Redis and sandbox."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import aio_pika
import asyncpg
import httpx
import pytest
from aio_pika.abc import AbstractQueue

from fleet_contracts.events import DeviceData, DeviceRegistered, FleetEvent, parse_event
from fleet_contracts.topology import EVENTS_EXCHANGE, MONITORING_EVENTS
from fleet_kit.messaging import Publisher
from fleet_kit.testing import eventually
from once_sandbox.faults.schemas import FaultRule
from sim_service.settings import Settings

from .conftest import free_port
from .support import SandboxUnderTest


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The process's environment: what a supervisor would give it."""
    given = {
        "ENVIRONMENT": "development",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "CARRIER_URL": settings.carrier_url,
        "CARRIER_CLIENT_ID": settings.carrier_client_id,
        "CARRIER_CLIENT_SECRET": settings.carrier_client_secret.get_secret_value(),
        "CARRIER_REQUESTS_PER_SECOND": "200",
        "USAGE_SYNC_EVERY_SECONDS": "0",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    return given | more


@asynccontextmanager
async def process(module: str, env: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        env=env,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            running.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await running.wait()


async def healthy(port: int) -> bool:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        try:
            return (await http.get(f"http://127.0.0.1:{port}/health")).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture
async def fresh(postgres_url: Callable[[str], str], settings: Settings) -> Settings:
    """Settings with a database of their own, migrated by the service's own command."""
    own = settings.model_copy(
        update={"database_url": type(settings.database_url)(postgres_url("sim_worker"))}
    )
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sim_service.migrate", env=environment(own)
    )
    assert await command.wait() == 0
    return own


@pytest.fixture
async def database(fresh: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database of `fresh`."""
    connection = await asyncpg.connect(fresh.database_url.get_secret_value().replace("+asyncpg", ""))
    yield connection
    await connection.close()


async def test_the_worker_syncs_publishes_and_follows_devices(
    fresh: Settings, database: asyncpg.Connection, sandbox: SandboxUnderTest, make_amqp_url: Callable[[], str]
) -> None:
    organization, device, port = uuid4(), uuid4(), free_port()
    amqp = make_amqp_url()
    env = environment(
        fresh,
        AMQP_URL=amqp,
        WORKER_PORT=str(port),
        SIM_SYNC_EVERY_SECONDS="3600",
        CARRIER_DEFAULT_ORGANIZATION=str(organization),
    )
    async with process("sim_service.worker", env) as worker:
        await eventually(lambda: healthy(port), timeout=90)
        await eventually(lambda: _count(database, "SELECT count(*) = 250 FROM sims"), timeout=90)
        iccid = sandbox.sims()[0].iccid
        data = DeviceData(id=device, name="pump", type="sensor", iccid=iccid)
        publisher = Publisher(amqp, "test")
        await publisher.publish_event(
            DeviceRegistered(source="test", subject=str(device), organizationid=organization, data=data)
        )
        await publisher.publish(EVENTS_EXCHANGE, "device.updated", b"{poison", message_id="poison")
        linked = f"SELECT device_id = '{device}' FROM sims WHERE iccid = '{iccid}'"
        await eventually(lambda: _count(database, linked))
        sent = "SELECT count(*) = 0 FROM t_outbox WHERE sent_at IS NULL"
        await eventually(lambda: _count(database, sent), timeout=90)
        await publisher.close()
        async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
            metrics = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        assert 'carrier_requests_total{operation="list_sims"' in metrics
        assert 'sim_jobs_total{kind="sync_sims",outcome="succeeded"}' in metrics
        worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(25):
            assert await worker.wait() == 0
    told = await _published(amqp, 251)
    assert all(event.organizationid == organization for event in told)
    assert {event.type for event in told} <= {"sim.updated", "sim.quota_low", "sim.quota_exhausted"}
    dead = await _dead(amqp, "sim.events.dead")
    assert dead == 1


async def _count(database: asyncpg.Connection, query: str) -> bool:
    return bool(await database.fetchval(query))


async def _published(amqp: str, at_least: int) -> list[FleetEvent]:
    connection = await aio_pika.connect(amqp)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue(MONITORING_EVENTS.name)
        found: list[FleetEvent] = []
        async with asyncio.timeout(60):
            while len(found) < at_least:
                message = await queue.get(no_ack=True, fail=False)
                if message is None:
                    await asyncio.sleep(0.05)
                elif str(message.routing_key).startswith("sim."):
                    found.append(parse_event(message.body))
        return found


async def _dead(amqp: str, name: str) -> int:
    connection = await aio_pika.connect(amqp)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue(name)
        await eventually(lambda: _got(queue), timeout=90)
        return 1


async def _got(queue: AbstractQueue) -> bool:
    return await queue.get(no_ack=True, fail=False) is not None


async def test_a_killed_worker_loses_nothing_and_its_job_is_finished(
    fresh: Settings, database: asyncpg.Connection, sandbox: SandboxUnderTest
) -> None:
    port = free_port()
    env = environment(
        fresh,
        WORKER_PORT=str(port),
        SIM_SYNC_EVERY_SECONDS="3600",
        CARRIER_REQUESTS_PER_SECOND="2",
        SYNC_PARALLEL_PAGES="1",
        JOB_LEASE_SECONDS="2",
    )
    async with process("sim_service.worker", env) as worker:
        await eventually(lambda: _count(database, "SELECT count(*) > 0 FROM job_pages"), timeout=90)
        worker.kill()
        await worker.wait()
    pages = await database.fetchval("SELECT count(*) FROM job_pages")
    assert 1 <= pages < 3
    sandbox.calls.clear()
    async with process("sim_service.worker", env):
        done = "SELECT count(*) = 1 FROM jobs WHERE kind = 'sync_sims' AND state = 'succeeded'"
        await eventually(lambda: _count(database, done), timeout=90)
    assert await database.fetchval("SELECT count(*) FROM sims") == 250
    assert sandbox.called("/v2/sims") <= 3 - pages + 1


GRANT = """
INSERT INTO grants (organization_id, budget_per_month, currency, orders, top_ups, extensions, sms, tickets,
                    resets, sms_per_month)
SELECT DISTINCT organization_id, 0, 'EUR', false, false, false, true, false, false, 1000 FROM sims
"""
MESSAGE = """
WITH message AS (
    INSERT INTO sms_messages (id, organization_id, iccid, direction, state, coding, payload, parts_total, at,
                              look_at, failures)
    SELECT gen_random_uuid(), organization_id, iccid, 'mt', $2, 'text', $3, 1, now(), now(), 0
    FROM sims WHERE iccid = $1 RETURNING *
)
INSERT INTO sms_parts (id, message_id, organization_id, iccid, number, payload, state, carrier_id)
SELECT gen_random_uuid(), id, organization_id, iccid, 1, payload, state, $4 FROM message
"""


async def test_what_is_due_is_sent_while_what_is_under_way_is_still_looked_at(
    fresh: Settings, database: asyncpg.Connection, sandbox: SandboxUnderTest
) -> None:
    port = free_port()
    env = environment(
        fresh,
        WORKER_PORT=str(port),
        SIM_SYNC_EVERY_SECONDS="3600",
        SMS_LOOK_EVERY_SECONDS="0.1",
        CARRIER_DEFAULT_ORGANIZATION=str(uuid4()),
    )
    asleep, awake = (sim.iccid for sim in sandbox.sims()[:2])
    path = f"/v?/sims/{asleep}/sms"
    sandbox.sandbox.faults.add(FaultRule(kind="delay", path=path, method="GET", seconds=20))
    async with process("sim_service.worker", env):
        await eventually(lambda: _count(database, "SELECT count(*) = 250 FROM sims"), timeout=90)
        await database.execute(GRANT)
        await database.execute(MESSAGE, asleep, "sent", "earlier", "77")
        await eventually(lambda: _called(sandbox, f"{asleep}/sms"), timeout=90)
        await database.execute(MESSAGE, awake, "pending", "now", None)
        await eventually(lambda: _called(sandbox, f"{awake}/sms"), timeout=90)


async def _called(sandbox: SandboxUnderTest, part: str) -> bool:
    return sandbox.called(part) > 0


async def test_the_api_process_answers(fresh: Settings, sandbox: SandboxUnderTest) -> None:
    port = free_port()
    async with process("sim_service", environment(fresh, PORT=str(port))):
        await eventually(lambda: healthy(port), timeout=90)
        async with httpx.AsyncClient(
            timeout=60, trust_env=False, base_url=f"http://127.0.0.1:{port}"
        ) as http:
            paths = (await http.get("/api/v1/sim/openapi.json")).json()["paths"]
            assert "/api/v1/sims/{iccid}/quota/{kind}" in paths
            assert (await http.get("/api/v1/sims")).json()["error"]["code"] == "UNAUTHORIZED"

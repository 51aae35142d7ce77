"""A broker whose disk is nearly full, which only holds publishers and answers everybody else."""

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from device_service.broker.alarms import broker_alarms
from fleet_infra.scratch import ScratchServers
from fleet_infra.servers.rabbitmq import PROGRAMS
from fleet_kit.health import run_checks
from fleet_kit.testing import eventually

LimitDisk = Callable[[str], None]


@pytest.fixture(scope="module")
def own_broker() -> Iterator[ScratchServers]:
    """A broker of this module alone: an alarm would hold the publishers of every test."""
    servers = ScratchServers()
    servers.start("rabbitmq")
    yield servers
    servers.stop()


@pytest.fixture
async def management(own_broker: ScratchServers) -> AsyncIterator[httpx.AsyncClient]:
    login = (own_broker.rabbitmq.user, own_broker.rabbitmq.password)
    url = own_broker.rabbitmq.management_url
    async with httpx.AsyncClient(base_url=url, auth=login, timeout=30) as client:
        yield client


@pytest.fixture
def limit_disk(own_broker: ScratchServers) -> LimitDisk:
    """Says how much of the disk has to be free."""
    broker = own_broker.rabbitmq
    (node,) = (process for process in broker.processes() if process.name == "rabbitmq")

    def limit(free: str) -> None:
        command = [str(PROGRAMS / "rabbitmqctl"), "-n", "fleet@localhost", "set_disk_free_limit", free]
        subprocess.run(command, env=os.environ | node.environment, check=True, cwd=node.directory, timeout=60)

    return limit


async def test_an_alarm_of_the_broker_shows_for_as_long_as_it_lasts(
    management: httpx.AsyncClient, limit_disk: LimitDisk
) -> None:
    check = broker_alarms(management)

    async def found(status: str) -> str | None:
        answer, texts = await run_checks({"broker alarms": check})
        return texts["broker alarms"] if answer == status else None

    assert await found("ok")
    limit_disk("1000000GB")
    assert "disk" in str(await eventually(lambda: found("degraded")))
    limit_disk("50MB")
    assert await eventually(lambda: found("ok"))

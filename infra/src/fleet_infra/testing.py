"""Pytest plugin: real servers for a test session.

Servers come from FLEET_TEST_SERVERS (a JSON file with their addresses), are those that `make test-servers`
keeps running, come from containers where a Docker engine answers, or are started on free ports in a temporary
folder. Each is started when a test first asks for it. A test that asks for none gets the mark `unit`.
"""

import functools
import itertools
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import httpx
import pymongo
import pytest
import redis

from fleet_contracts.topology import DEVICES_VHOST, SERVICES_VHOST
from fleet_infra.background_servers import BackgroundServers
from fleet_infra.containers import ContainerServers, docker_answers
from fleet_infra.definitions import EVERYTHING, topology_definitions
from fleet_infra.scratch import REDIS_DATABASES, Addresses, ScratchServers, shared_file
from fleet_infra.servers.base import run_in_thread
from fleet_infra.servers.outside import remove_data
from fleet_infra.servers.ports import free_port
from fleet_infra.servers.redis import RedisServer
from fleet_infra.servers.runner import Runner

UrlFactory = Callable[..., str]
ALL = ("postgres", "redis", "rabbitmq", "mongo")
SERVER_FIXTURES = frozenset(
    {
        *("fleet_servers", "fleet", "gateway", "lonely_gateway", "impatient_gateway", "named_gateway"),
        *("make_gateway", "own_redis_url"),
    }
)
"""Fixtures that start a server. Whoever asks for one, through however many others, is no unit test."""


class TestServers(Protocol):
    """What the fixtures need of servers, wherever they run."""

    def start(self, *names: str) -> None:
        """Start those that are not running."""

    @property
    def addresses(self) -> Addresses:
        """Where they are."""

    def stop(self) -> None:
        """Stop all."""


class SharedServers:
    """Servers somebody else started and stops."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses

    def start(self, *names: str) -> None:
        """They run already."""

    def stop(self) -> None:
        """They stay."""


def choose_servers(*, fresh: bool = False) -> TestServers:
    """Servers that run already unless `fresh`, else containers, else scratch servers."""
    shared = None if fresh else _running_servers()
    if shared is not None:
        return SharedServers(Addresses.read(shared))
    native = os.environ.get("MODE") == "native"
    return ContainerServers() if not native and docker_answers() else ScratchServers()


def _running_servers() -> Path | None:
    """File with the addresses of servers that somebody else started, or None."""
    servers = BackgroundServers.of_clone()
    if shared_file() is None and servers.are_running():
        servers.note_use()
        return servers.file
    return shared_file()


@pytest.fixture(scope="session")
def fleet_servers() -> Iterator[TestServers]:
    """The session's servers; start what you need by name."""
    servers = choose_servers()
    try:
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def postgres_url(fleet_servers: TestServers) -> Iterator[UrlFactory]:
    """Factory: `postgres_url("device")` makes a fresh database and returns its asyncpg address."""
    fleet_servers.start("postgres")
    admin = fleet_servers.addresses.postgres_admin_url
    made: list[str] = []

    def make(name: str = "test") -> str:
        database = f"{name}_{secrets.token_hex(5)}"
        run_in_thread(_execute(admin, f'CREATE DATABASE "{database}"'))
        made.append(database)
        return with_path(admin, database).replace("postgresql://", "postgresql+asyncpg://")

    yield make
    for database in made:
        run_in_thread(_execute(admin, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=20)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def make_redis_url(fleet_servers: TestServers) -> UrlFactory:
    """Factory: an empty database of its own on the session's Redis."""
    fleet_servers.start("redis")
    base = fleet_servers.addresses.redis_url

    def make() -> str:
        with redis.Redis.from_url(with_path(base, "0")) as counter:
            number = 1 + int(str(counter.incr("fleet:test:database"))) % (REDIS_DATABASES - 1)
        url = with_path(base, str(number))
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    return make


@pytest.fixture(scope="session")
def redis_url(make_redis_url: UrlFactory) -> str:
    """An empty Redis database, the same for the whole session."""
    return make_redis_url()


@pytest.fixture
def own_redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis that nobody else uses, so that a test may change its configuration."""
    server = RedisServer(tmp_path / "redis", free_port(), secrets.token_urlsafe(12), durable=False)
    runner = Runner(tmp_path / "redis-logs")
    try:
        runner.start(server)
        yield server.url
    finally:
        runner.stop()
        remove_data(server.folder)


def fill_redis(url: str, *, full: bool = True) -> None:
    """Have it refuse what takes memory, as when its data have reached `maxmemory`; or no longer."""
    with redis.Redis.from_url(url) as client:
        client.config_set("maxmemory", "1" if full else "0")


@pytest.fixture(scope="session")
def make_amqp_url(fleet_servers: TestServers) -> Iterator[UrlFactory]:
    """Factory: a fresh vhost with the fleet's exchanges, queues and bindings, as an administrator.

    What the fleet has in the devices' vhost is in a second one, whose name `devices_vhost` tells.
    """
    fleet_servers.start("rabbitmq")
    addresses = fleet_servers.addresses
    parts = urlsplit(addresses.amqp_url)
    user = parts.username or ""
    made: list[str] = []
    with httpx.Client(
        base_url=f"{addresses.rabbitmq_management_url}/api", auth=(user, parts.password or ""), timeout=30
    ) as api:

        def make() -> str:
            url = with_path(addresses.amqp_url, f"test-{secrets.token_hex(5)}")
            for name, vhost in (
                (urlsplit(url).path[1:], SERVICES_VHOST),
                (devices_vhost(url), DEVICES_VHOST),
            ):
                api.put(f"/vhosts/{name}").raise_for_status()
                made.append(name)
                api.put(f"/permissions/{name}/{quote(user)}", json=vars(EVERYTHING)).raise_for_status()
                api.post(f"/definitions/{name}", json=topology_definitions(vhost)).raise_for_status()
            return url

        yield make
        for vhost in made:
            api.delete(f"/vhosts/{vhost}")


@pytest.fixture(scope="session")
def amqp_url(make_amqp_url: UrlFactory) -> str:
    """A vhost with the fleet's topology, the same for the whole session."""
    return make_amqp_url()


@pytest.fixture(scope="session")
def rabbitmq_management(fleet_servers: TestServers) -> Iterator[httpx.Client]:
    """A client of the broker's management API (base address ends in /api), as an administrator."""
    fleet_servers.start("rabbitmq")
    parts = urlsplit(fleet_servers.addresses.amqp_url)
    base = f"{fleet_servers.addresses.rabbitmq_management_url}/api"
    with httpx.Client(base_url=base, auth=(parts.username or "", parts.password or ""), timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def mongo_url(fleet_servers: TestServers) -> str:
    """Address of the MongoDB-compatible server."""
    fleet_servers.start("mongo")
    return fleet_servers.addresses.mongo_url


@pytest.fixture(scope="session")
def make_mongo_database(mongo_url: str) -> Iterator[UrlFactory]:
    """Factory: the name of a database that does not exist yet; it is dropped at the end."""
    made: list[str] = []
    numbers = itertools.count(1)

    def make() -> str:
        made.append(f"test_{secrets.token_hex(5)}_{next(numbers)}")
        return made[-1]

    yield make
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        mongo_url, serverSelectionTimeoutMS=3000
    )
    for database in made:
        client.drop_database(database)
    client.close()


@pytest.fixture(scope="session")
def mongo_database(make_mongo_database: UrlFactory) -> str:
    """A fresh database name, the same for the whole session."""
    return make_mongo_database()


def devices_vhost(url: str) -> str:
    """Name of the vhost that goes with the one of an address from `make_amqp_url`, for devices."""
    return f"{urlsplit(url).path[1:]}-devices"


def with_path(url: str, path: str) -> str:
    """The same address with another path: database, vhost or database number."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need no server, before `-m` chooses."""
    for item in items:
        if not SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.unit)


def pytest_report_header() -> str:
    """Where this run's servers come from."""
    if shared_file() is not None:
        return f"servers: {shared_file()}"
    if BackgroundServers.of_clone().are_running():
        return "servers: those that `make test-servers` started"
    return "servers: started as they are needed (`make test-servers` keeps some running for later runs)"


def pytest_configure(config: pytest.Config) -> None:
    """A session that is asked to end stops the servers it started."""
    # Each client of httpx reads all certificates again (50 ms of CPU); no test talks TLS through httpx.
    once = functools.cache(httpx.create_ssl_context)
    pytest.MonkeyPatch().setattr("httpx._transports.default.create_ssl_context", once)
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("asked to end by SIGTERM", returncode=143))

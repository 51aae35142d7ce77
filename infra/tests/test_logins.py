"""Every server asks for a login, also those of a machine that has no containers."""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pymongo
import pymongo.errors
import pytest
import redis

from fleet_infra.servers import mongo
from fleet_infra.servers.mongo import USER, MongoServer
from fleet_infra.servers.ports import free_port
from fleet_infra.servers.runner import Runner

pytestmark = pytest.mark.usefixtures("fleet_servers")  # these are no unit tests
Client = pymongo.MongoClient[dict[str, Any]]


@contextlib.contextmanager
def started(folder: Path, *servers: MongoServer) -> Iterator[None]:
    runner = Runner(folder / "logs")
    try:
        runner.start(*servers)
        yield
    finally:
        runner.stop()


class WithoutLogin(MongoServer):
    """As it was before: any program of the machine reads and writes."""

    def processes(self) -> list[Any]:
        (process,) = super().processes()
        return [type(process)(process.name, process.command[:-1], process.directory)]


def document(url: str, password: str | None = None) -> dict[str, Any] | None:
    login: dict[str, Any] = (
        {"username": USER, "password": password, "authSource": "admin"} if password else {}
    )
    with Client(url, serverSelectionTimeoutMS=20_000, **login) as client:
        return client.monitoring.readings.find_one()


def bare(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def test_mongo_answers_nobody_without_the_password(tmp_path: Path) -> None:
    server = MongoServer(tmp_path / "mongo", free_port(), "the-right-password", durable=False)
    with started(tmp_path, server):
        with Client(server.url) as client:
            client.monitoring.readings.insert_one({"_id": 1})
        assert document(bare(server.port), "the-right-password") == {"_id": 1}
        for password in (None, "a wrong password"):
            with pytest.raises(pymongo.errors.OperationFailure):
                document(bare(server.port), password)
        assert "the-right-password" not in " ".join(server.processes()[0].command)
    assert stat.S_IMODE((server.folder / "login").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700


def test_data_from_before_the_login_stay_readable(tmp_path: Path) -> None:
    old = WithoutLogin(tmp_path / "mongo", free_port(), durable=False)
    with started(tmp_path, old), Client(old.url) as client:
        client.monitoring.readings.insert_one({"_id": 1})

    server = MongoServer(tmp_path / "mongo", free_port(), "a-password", durable=False)
    with started(tmp_path, server):
        assert document(server.url) == {"_id": 1}
        with pytest.raises(pymongo.errors.OperationFailure):
            document(bare(server.port))
    assert not server.is_fresh


def test_a_server_that_still_runs_without_login_gets_its_user_before_it_is_replaced(tmp_path: Path) -> None:
    old = WithoutLogin(tmp_path / "mongo", free_port(), durable=False)
    server = MongoServer(old.folder, old.port, "a-password", durable=False)
    with started(tmp_path, old):
        server.prepare()
    with started(tmp_path, server):
        assert document(server.url) is None


def test_a_new_password_replaces_the_old_one(tmp_path: Path) -> None:
    first = MongoServer(tmp_path / "mongo", free_port(), "first-password", durable=False)
    with started(tmp_path, first):
        pass
    second = MongoServer(first.folder, first.port, "second-password", durable=False)
    with started(tmp_path, second), pytest.raises(pymongo.errors.OperationFailure):
        document(first.url)


async def test_the_other_servers_ask_for_a_login_too(fleet_servers: Any) -> None:
    fleet_servers.start("postgres", "redis", "rabbitmq")
    addresses = fleet_servers.addresses
    anonymous = redis.Redis.from_url(_without_password(addresses.redis_url))
    with anonymous as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(_without_password(addresses.postgres_admin_url, "postgres"), password="wrong")
    management = httpx.URL(addresses.rabbitmq_management_url)
    for login in (None, ("guest", "guest")):
        async with httpx.AsyncClient(base_url=management, auth=login) as client:
            assert (await client.get("/api/overview")).status_code == 401


def _without_password(url: str, user: str = "") -> str:
    parts = httpx.URL(url)
    return str(parts.copy_with(username=user or None, password=None))


def test_a_server_without_login_that_does_not_end_by_itself_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo, "CLOSE_SECONDS", 0.2)
    server = MongoServer(tmp_path / "mongo", free_port(), durable=False)
    server.prepare()
    before = set(psutil.Process().children())
    with server._without_login():
        (process,) = set(psutil.Process().children()) - before
        process.suspend()  # hears no SIGTERM

    assert not process.is_running()

"""Root starts the fleet, and its servers run as other users all the same."""

import argparse
import os
import pwd
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from fleet_infra import cli
from fleet_infra.fleet import Fleet
from fleet_infra.layout import Layout
from fleet_infra.scratch import ScratchServers
from fleet_infra.servers import accounts
from fleet_infra.servers.accounts import ACCOUNT, make_user
from fleet_infra.testing_fleet import scratch_settings

pytestmark = [
    pytest.mark.usefixtures("fleet_servers"),  # these are no unit tests
    pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root starts programs as himself"),
]


def test_postgres_redis_and_rabbitmq_do_not_run_as_root() -> None:
    servers = ScratchServers()
    try:
        servers.start("postgres", "redis", "rabbitmq")
        for name, user in (("postgres", "postgres"), ("redis", ACCOUNT), ("rabbitmq", ACCOUNT)):
            process = psutil.Process(servers._runner.pid(name))
            family = [process, *process.children(recursive=True)]
            assert {each.username() for each in family} == {user}, name
        epmd = psutil.Process(servers._runner.pid("epmd"))
        assert epmd.username() == ACCOUNT
    finally:
        servers.stop()


def test_several_who_make_the_user_at_once_all_see_one_and_the_same(name: str) -> None:
    def make(_: int) -> tuple[int, int]:
        make_user(name)
        owner = pwd.getpwnam(name)
        return owner.pw_uid, owner.pw_gid

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(make, range(8)))
    assert seen == {make(0)}


@pytest.fixture
def name() -> Iterator[str]:
    user = f"fleet-test-{secrets.token_hex(4)}"
    yield user
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run(["userdel", user], check=True, capture_output=True, env=os.environ | {"PATH": path})


@pytest.mark.parametrize(
    ("account", "of_python", "told"),
    [("fleet", None, True), ("fleet", "fleet", False), (None, None, False)],
)
def test_who_starts_the_services_as_root_without_meaning_to_is_told(
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    account: str | None,
    of_python: str | None,
    told: bool,
) -> None:
    monkeypatch.setattr(accounts, "service_account", lambda: account)
    monkeypatch.setattr(accounts, "python_account", lambda: of_python)
    monkeypatch.setattr(cli, "this_fleet", lambda: Fleet(layout, scratch_settings()))
    monkeypatch.setattr(Fleet, "up", lambda *_: {"gateway_url": "", "rabbitmq_management_url": ""})
    monkeypatch.setenv("MODE", "native")
    cli.up(argparse.Namespace())
    assert ("run as root" in capsys.readouterr().out) is told

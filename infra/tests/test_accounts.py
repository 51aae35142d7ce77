"""Root starts the fleet, and its servers run as other users all the same."""

import os
import pwd
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from fleet_infra.scratch import ScratchServers
from fleet_infra.servers.accounts import ACCOUNT, make_user

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

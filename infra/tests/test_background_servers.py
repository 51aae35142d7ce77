import sys
from pathlib import Path

import pytest

from fleet_infra.background_servers import BackgroundServers

SERVE = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('{}'); time.sleep(600)"


@pytest.fixture
def servers(tmp_path: Path) -> BackgroundServers:
    return BackgroundServers(tmp_path / ".fleet")


def command(servers: BackgroundServers, program: str = SERVE) -> list[str]:
    return [sys.executable, "-c", program, str(servers.file)]


def test_servers_run_from_start_to_stop(servers: BackgroundServers) -> None:
    assert not servers.are_running()

    assert servers.start(command(servers), seconds=60)
    assert servers.are_running()

    assert servers.stop()
    assert not servers.are_running()
    assert not servers.stop()


def test_addresses_that_a_killed_process_left_behind_are_not_used(servers: BackgroundServers) -> None:
    assert servers.start(command(servers), seconds=60)
    assert servers.stop()

    assert servers.file.exists()
    assert not servers.are_running()


def test_servers_that_do_not_start_are_reported(servers: BackgroundServers) -> None:
    assert not servers.start(command(servers, "raise SystemExit('no room')"), seconds=60)

    assert "no room" in servers.log.read_text()
    assert not servers.are_running()

"""The carrier's sandbox of a native fleet knows after a restart what was bought from it before."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fleet_infra import sandbox_state
from fleet_infra.fleet_servers import fleet_servers
from fleet_infra.layout import Layout
from fleet_infra.programs import program_groups
from fleet_infra.secret_store import load_secrets
from fleet_infra.servers.accounts import as_user, service_account
from fleet_infra.servers.base import Process
from fleet_infra.servers.outside import remove_data
from fleet_infra.servers.runner import spawn
from fleet_infra.testing_fleet import scratch_settings
from fleet_kit.testing import eventually


@pytest.fixture
def sandbox(layout: Layout) -> Iterator[tuple[Process, str]]:
    """The program as the fleet starts it, and its address."""
    settings, secrets = scratch_settings(sandbox_sims=3), load_secrets(layout.secrets_file)
    sandbox_state.make_sandbox_folder(layout)
    groups = program_groups(layout, settings, secrets, fleet_servers(layout, settings, secrets))
    (process,) = [process for process in groups["services"] if process.name == "once-sandbox"]
    yield process, f"http://127.0.0.1:{settings.sandbox_port}/control"
    remove_data(layout.sandbox)


@contextlib.contextmanager
def running(process: Process, log: Path) -> Iterator[None]:
    child = spawn(process, log)
    try:
        yield
    finally:
        child.send_signal(getattr(signal, f"SIG{process.stop_signal}"))
        assert child.wait(process.stop_seconds) is not None, log.read_text()


async def answers(http: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await http.get("/ledger")).is_success
    return False


async def test_the_sandbox_keeps_its_world_over_a_stop(sandbox: tuple[Process, str], tmp_path: Path) -> None:
    (process, url), log = sandbox, tmp_path / "sandbox.log"
    async with httpx.AsyncClient(base_url=url) as http:
        with running(process, log):
            await eventually(lambda: answers(http))
            added = await http.post("/sims", json={"count": 1, "fresh": True})
            (iccid,) = added.json()["iccids"]
        with running(process, log):
            await eventually(lambda: answers(http))
            assert (await http.get(f"/sims/{iccid}")).status_code == 200, log.read_text()
    assert [line.partition(" with ")[2] for line in log.read_text().splitlines()] == ["3 SIMs", "4 SIMs"]


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root starts programs as himself")
def test_the_sandbox_s_own_user_can_keep_its_world(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    user = service_account()
    monkeypatch.setattr(sandbox_state, "python_account", lambda: user)
    for _ in range(2):  # a fleet that is brought up again has the folder already
        sandbox_state.make_sandbox_folder(layout)
        command = [*as_user(user), "touch", str(sandbox_state.world_file(layout, 3))]
        subprocess.run(command, cwd="/", check=True)

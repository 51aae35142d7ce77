"""The state file and the command."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from once_sandbox import state_file
from once_sandbox.cli import cli

from .support import Client, eventually, iccid, make_app


async def test_a_world_survives_its_file(client: Client, tmp_path: Path) -> None:
    await client.control("POST", "/usage", {"iccid": iccid(0), "bytes": 4_711})
    await client.post(f"/v1/sims/{iccid(0)}/topup")
    await client.post(f"/v2/sims/{iccid(0)}/sms", json={"payload": "hello"})
    await client.advance(1)
    world = client.sandbox_app.sandbox.world
    state_file.save(world, tmp_path / "world.json")
    loaded = state_file.load(tmp_path / "world.json")
    assert loaded.sims == world.sims
    assert loaded.usage == world.usage
    assert loaded.orders == world.orders
    assert loaded.schedule == world.schedule
    assert loaded.clock.now() == pytest.approx(world.clock.now(), abs=5)


async def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text("{}")
    with pytest.raises(ValueError, match="seed"):
        make_app(state_file=tmp_path / "world.json")


def test_the_command_says_what_is_wrong_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text("{}")
    result = CliRunner().invoke(cli, ["--state-file", str(tmp_path / "world.json")])
    assert result.exit_code == 2
    said = "".join(result.output.replace("│", "").split())  # it breaks lines where the terminal ends
    assert "world.json" in said


async def test_the_command_serves_and_keeps_its_state(tmp_path: Path) -> None:
    state = tmp_path / "world.json"
    command = [
        sys.executable,
        "-m",
        "once_sandbox",
        "--sims",
        "25",
        "--port",
        "0",
        "--state-file",
        str(state),
    ]
    environment = {**os.environ, "LOG_LEVEL": "info"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)  # noqa: ASYNC220
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        address = await asyncio.to_thread(
            lambda: next(line.split("on ")[1].split()[0] for line in lines if "running on" in line)
        )
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            assert (await client.get("/health")).json()["checks"] == {"sims": 25}
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: process.poll() is not None)
        assert len(state_file.load(state).sims.by_iccid) == 25
    finally:
        process.kill()
        process.communicate()

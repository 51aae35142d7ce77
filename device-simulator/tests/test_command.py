"""The command as people and supervisors run it."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from device_simulator.access import Access
from device_simulator.ledger import Ledger
from fleet_contracts.telemetry import parse_message


@pytest.fixture
def command(access: Access, tmp_path: Path) -> Any:
    """Starts the command against the fake platform."""
    file = tmp_path / "access.json"
    where = access.addresses
    file.write_text(
        json.dumps(
            {
                "gateway_url": where.gateway_url,
                "mqtt_host": where.mqtt_host,
                "mqtt_port": where.mqtt_port,
                "amqp_url": f"amqp://{where.amqp_host}:{where.amqp_port}/",
                "demo_email": access.email,
                "demo_password": access.password,
            }
        )
    )

    async def start(*options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "device_simulator", "--access", str(file), *options,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=tmp_path,
        )  # fmt: skip

    return start


async def test_it_prints_what_became_of_every_reading(command: Any, tmp_path: Path) -> None:
    options = ("--devices", "2", "--rate", "10", "--duration", "1", "--ids-file", "out/ids.jsonl")
    out, _ = await (await command(*options)).communicate()

    assert out.decode() == "attempted 20 / accepted 20 / failed 0\n"
    lines = [json.loads(line) for line in (tmp_path / "out" / "ids.jsonl").read_text().splitlines()]
    assert [set(line) for line in lines] == [{"id", "device_id", "ts", "accepted"}] * 20


async def test_sigterm_ends_it_with_every_reading_decided(
    until: Any, command: Any, platform: Any, tmp_path: Path
) -> None:
    process = await command("--devices", "3", "--rate", "20", "--ids-file", "ids.jsonl")
    await until(lambda: len(platform.stored) >= 30)
    process.send_signal(signal.SIGTERM)
    out, _ = await asyncio.wait_for(process.communicate(), 15)

    assert process.returncode == 0
    lines = (tmp_path / "ids.jsonl").read_text().splitlines()
    assert out.decode() == f"attempted {len(lines)} / accepted {len(lines)} / failed 0\n"


async def test_a_kill_loses_no_decision(until: Any, command: Any, platform: Any, tmp_path: Path) -> None:
    process = await command("--devices", "3", "--rate", "50", "--ids-file", "ids.jsonl")
    await until(lambda: len(platform.stored) >= 60)
    process.kill()
    await process.communicate()

    lines = [json.loads(line) for line in (tmp_path / "ids.jsonl").read_text().splitlines()]
    undecided = platform.stored - {line["id"] for line in lines}
    assert len(lines) > 30
    assert len(undecided) <= 3 * 13  # at most what was on its way: three windows of messages


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--profile", "boat"), "there is no profile 'boat'"),
        (("--config", "absent.yaml"), "absent.yaml cannot be used"),
        (("--email", "other@example.com"), "no password for other@example.com: set FLEET_PASSWORD"),
    ],
)
async def test_what_keeps_it_from_starting_is_said_in_one_sentence(
    command: Any, options: tuple[str, ...], sentence: str
) -> None:
    process = await command(*options)
    _, err = await process.communicate()

    assert process.returncode == 2
    assert err.decode().startswith(f"device-simulator: {sentence}")
    assert "Traceback" not in err.decode()


def test_the_ledger_writes_each_decision_at_once(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    body = b'[{"id": "a", "metrics": {"t": 1}}, {"id": "b", "metrics": {"t": 2}}]'
    readings = parse_message(body, "d", datetime.now(UTC)).readings
    with Ledger(tmp_path / "ids.jsonl") as ledger:
        ledger.attempted(2)
        ledger.decided("d", readings[:1], accepted=True)
        ledger.decided("d", readings[1:], accepted=False)
        lines = [json.loads(line) for line in (tmp_path / "ids.jsonl").read_text().splitlines()]

    assert [(line["id"], line["accepted"]) for line in lines] == [("a", True), ("b", False)]
    assert str(ledger.counts) == "attempted 2 / accepted 1 / failed 1"

"""Attacks, beside an organisation that goes on with its work and loses nothing by it.

ATTACK_SECONDS is how long (`make attack`: 60). Where it is set, each attack has that time for itself, and
what others notice of it is judged; else all of them run at once for a moment, and only what is stored is.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fleet_infra.layout import Layout

from ..support import producer_url
from .attackers import ATTACKS
from .memory import over_limit, pids
from .target import Target
from .victim import DEVICES, Victim, p99

pytestmark = [pytest.mark.fleet, pytest.mark.attack]
SECONDS = float(os.environ.get("ATTACK_SECONDS", "0"))
SHORT_SECONDS = 5.0
SEEN: dict[str, set[str]] = {
    "registration flood": {"201"},
    "dear queries": {"200"},
    "heavy readings": {"202"},
    "wide workbooks": {"422"},
    "invented SIMs": {"404"},
    "unfinished messages of WebSockets": {"done"},
    "MQTT flood": {"done"},
    "large MQTT messages": {"done"},
    "many MQTT connections": {"MqttConnectError"},
    "many persistent MQTT sessions": {"done", "MqttConnectError"},
    "forbidden MQTT subscriptions": {"MqttError"},
    "undecodable AMQP properties": {"done"},
}
"""Of each attack the outcomes of which it has to have had one: it got as far as it can get."""
LIVE_SECONDS, API_SECONDS = 2.0, 0.5


@pytest.mark.parametrize("names", [[name] for name in ATTACKS] if SECONDS else [[*ATTACKS]], ids=", ".join)
async def test_attacks_cost_others_no_reading_little_time_and_no_process(
    names: list[str],
    fleet: dict[str, Any],
    join: Callable[[], Awaitable[Any]],
    listen: Callable[..., Awaitable[Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "pid_files" not in fleet:
        pytest.skip("only a fleet under its supervisor shows its processes")
    person = await join()
    victim = Victim(
        person,
        [await person.device() for _ in range(DEVICES)],
        await listen(person.tokens["access_token"]),
    )
    await victim.watch()
    target = await _target(fleet, await join(), victim.devices[0].id)
    before, seconds = pids(fleet), SECONDS or SHORT_SECONDS
    attackers = asyncio.create_task(_attack(target, seconds, names))
    await victim.work(seconds)
    rounds = await attackers
    figures = {
        "attacks": rounds,
        "readings": len(victim.sent_at),
        "live p99": round(p99([*victim.live_after.values()]), 3),
        "api p99": round(p99(victim.api_seconds), 3),
        "over memory": over_limit(fleet),
        "restarted": sorted(name for name, pid in pids(fleet).items() if pid != before[name]),
        "api failures": victim.api_failures,
    }
    with capsys.disabled():
        print(f"\n{json.dumps(figures, indent=1)}" if SECONDS else "", end="")
    await victim.everything_is_stored(timeout=300)
    if SECONDS:  # all at once, they are in one another's way: one device has so many sessions
        blunt = {name: rounds[name] for name in names if not SEEN[name] & rounds[name].keys()}
        assert blunt == {}, "an attack that never had its outcome attacks nothing"
        _judge(victim, figures)


def _judge(victim: Victim, figures: dict[str, Any]) -> None:
    assert figures["restarted"] == []
    assert figures["over memory"] == {}
    assert figures["api failures"] == []
    assert victim.live_after.keys() == victim.sent_at.keys()
    assert p99([*victim.live_after.values()]) < LIVE_SECONDS  # also what came late
    assert figures["api p99"] < API_SECONDS


async def _target(fleet: dict[str, Any], attacker: Any, victim_device_id: str) -> Target:
    device = await attacker.device()
    return Target(
        gateway_url=fleet["gateway_url"],
        mqtt_host=fleet["mqtt_host"],
        mqtt_port=fleet["mqtt_port"],
        producer_url=producer_url(fleet, "stolen"),
        token=attacker.tokens["access_token"],
        device_id=device.id,
        device_key=device.key,
        victim_device_id=victim_device_id,
    )


async def _attack(target: Target, seconds: float, names: list[str]) -> dict[str, dict[str, int]]:
    """Of each attack its rounds, and what ended some."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.attack.attackers", str(seconds), *names,
        cwd=Layout.of_clone().root, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, complaints = await process.communicate(target.to_json().encode())
    assert process.returncode == 0, complaints.decode()[-2000:]
    return dict(json.loads(said))

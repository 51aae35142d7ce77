"""Whatever the transport: what the ledger calls accepted has reached the broker, under the same ids."""

import asyncio
import dataclasses
import json
import os
import signal
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from device_simulator.access import Access
from device_simulator.errors import CannotStart
from device_simulator.run import simulate
from fleet_contracts.telemetry import parse_message


@pytest.mark.parametrize("transport", ["mqtt", "http", "amqp"])
async def test_every_reading_arrives_and_is_written_down(
    transport: str, make_plan: Any, access: Access, ledger_lines: Any, stored_all: Any, platform: Any
) -> None:
    counts = await simulate(make_plan(transport), access)

    assert (counts.attempted, counts.accepted, counts.failed) == (60, 60, 0)
    lines = ledger_lines()
    assert len({line["id"] for line in lines}) == 60
    assert {line["device_id"] for line in lines} == set(platform.names.values())
    assert all(line["accepted"] for line in lines)
    await stored_all({line["id"] for line in lines})


@pytest.mark.parametrize("transport", ["mqtt", "http", "amqp"])
async def test_readings_can_travel_together(
    transport: str, make_plan: Any, access: Access, ledger_lines: Any, stored_all: Any
) -> None:
    counts = await simulate(make_plan(transport, rate=100, batch=20), access)

    assert (counts.attempted, counts.accepted) == (300, 300)
    await stored_all({line["id"] for line in ledger_lines()})


async def cut_connections(broker: httpx.Client, users: set[str]) -> int:
    """Close the connections of these users, as a broker restart would; returns how many there were."""

    def cut() -> int:
        listed = [c for c in broker.get("/connections").json() if c.get("user") in users]
        for connection in listed:
            broker.delete(f"/connections/{connection['name']}")
        return len(listed)

    return await asyncio.to_thread(cut)


@pytest.mark.parametrize("transport", ["mqtt", "amqp"])
async def test_a_lost_connection_loses_no_reading(
    transport: str,
    make_plan: Any,
    access: Access,
    ledger_lines: Any,
    stored_all: Any,
    platform: Any,
    rabbitmq_management: httpx.Client,
) -> None:
    run = asyncio.create_task(simulate(make_plan(transport, duration=6.0), access))
    cuts = 0
    while not run.done() and cuts < 6:
        cuts += await cut_connections(rabbitmq_management, {*platform.names.values(), platform.producer})
        await asyncio.sleep(0.3)
    counts = await run

    assert cuts >= 3
    assert (counts.attempted, counts.accepted, counts.failed) == (360, 360, 0)
    await stored_all({line["id"] for line in ledger_lines()})


async def test_without_a_producers_login_amqp_does_not_start(make_plan: Any, access: Access) -> None:
    nobody = dataclasses.replace(access.addresses, amqp_user="", amqp_password="")
    with pytest.raises(CannotStart, match="make broker-user"):
        await simulate(make_plan("amqp"), dataclasses.replace(access, addresses=nobody))


async def test_a_message_that_was_not_accepted_is_sent_again_as_it_was(
    make_plan: Any, access: Access, platform: Any, ledger_lines: Any
) -> None:
    platform.failing, platform.failures = "/telemetry", [503, 429, 502]
    counts = await simulate(make_plan("http", devices=1, rate=1), access)

    assert (counts.attempted, counts.accepted) == (1, 1)
    assert platform.refused == platform.bodies * 3
    assert json.loads(platform.bodies[0])[0]["id"] == ledger_lines()[0]["id"]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_message_is_sent_again_no_sooner_than_the_platform_asks_for(
    status: int, make_plan: Any, access: Access, platform: Any
) -> None:
    platform.failing, platform.failures, platform.retry_after = "/telemetry", [status], "2"
    began = asyncio.get_running_loop().time()
    counts = await simulate(make_plan("http", devices=1, rate=1), access)

    assert (counts.attempted, counts.accepted) == (1, 1)
    assert platform.refused == platform.bodies
    assert asyncio.get_running_loop().time() - began >= 2, "its own delays are shorter"


async def test_a_refused_message_is_not_sent_again(
    make_plan: Any, access: Access, platform: Any, ledger_lines: Any
) -> None:
    plan = make_plan("http", devices=1, rate=5)
    await simulate(plan, access)
    platform.keys.update(dict.fromkeys(platform.keys, "another key now"))
    before = len(platform.calls)
    counts = await simulate(plan, access)

    assert (counts.attempted, counts.accepted, counts.failed) == (5, 0, 5)
    assert [line["accepted"] for line in ledger_lines()] == [False] * 5
    assert len([call for call in platform.calls[before:] if call.endswith("/telemetry")]) == 5


async def test_a_reading_that_nobody_takes_is_given_up(
    make_plan: Any, access: Access, platform: Any, ledger_lines: Any
) -> None:
    platform.failing, platform.failures = "/telemetry", [503] * 1000
    counts = await simulate(make_plan("http", devices=1, rate=4, give_up=1, drain=10), access)

    assert (counts.attempted, counts.accepted, counts.failed) == (4, 0, 4)
    assert [line["accepted"] for line in ledger_lines()] == [False] * 4


async def test_what_is_on_its_way_at_the_end_counts_as_failed(
    until: Any, make_plan: Any, access: Access, platform: Any, ledger_lines: Any
) -> None:
    plan = make_plan("http", devices=2, rate=10, drain=0.2)
    run = asyncio.create_task(simulate(plan, access))
    await until(lambda: len(platform.bodies) >= 4)
    platform.failures = [503] * 1000
    counts = await run

    assert counts.attempted == counts.accepted + counts.failed == 20
    assert counts.failed > 0
    assert len(ledger_lines()) == 20


async def test_a_signal_ends_the_run_in_order(
    until: Any, make_plan: Any, access: Access, platform: Any, ledger_lines: Any, stored_all: Any
) -> None:
    run = asyncio.create_task(simulate(make_plan(duration=None), access))
    await until(lambda: len(platform.stored) >= 20)
    os.kill(os.getpid(), signal.SIGTERM)
    counts = await asyncio.wait_for(run, 15)

    assert counts.attempted == counts.accepted >= 20
    assert len(ledger_lines()) == counts.attempted
    await stored_all({line["id"] for line in ledger_lines()})


async def test_every_message_holds_to_the_contract(make_plan: Any, access: Access, platform: Any) -> None:
    await simulate(make_plan("http", devices=12, rate=10, batch=5), access)

    parsed = [parse_message(body, "device", datetime.now(UTC)) for body in platform.bodies]
    assert sum(len(part.readings) for part in parsed) == 120
    assert not [part for part in parsed if part.rejected]

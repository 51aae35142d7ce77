"""What devices send is what their SIMs use at the carrier's sandbox, now or in a simulated past."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from aiohttp import web

from device_simulator.access import Access
from device_simulator.carrier import CarrierUsage
from device_simulator.errors import CannotStart
from device_simulator.run import simulate
from device_simulator.simcards import SimCards
from device_simulator.timeline import Timeline
from fleet_contracts.telemetry import Reading
from once_sandbox.main import create_app
from once_sandbox.settings import Settings
from once_sandbox.usage.models import UsageDay


@pytest.fixture
async def sandbox() -> AsyncIterator[Any]:
    """A sandbox on a port of its own, with its address in `url`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    app = create_app(Settings(SANDBOX_SIMS=10))
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, ws="none", loop="none")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running._serve())
    async with asyncio.timeout(60):
        while not running.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    yield Sandbox(f"http://127.0.0.1:{port}", app.sandbox.world)
    running.should_exit = True
    await task


class Sandbox:
    """Where it is, and what its SIMs have used."""

    def __init__(self, url: str, world: Any) -> None:
        self.url, self.world = url, world

    @property
    def iccids(self) -> list[str]:
        return [sim.iccid for sim in self.world.sims.own()]

    def used(self, iccid: str, day: Any) -> int:
        booked: UsageDay | None = self.world.usage.booked(iccid, day)
        return booked.sent if booked else 0


def sent(platform: Any, device: str) -> int:
    return sum(int(one["metrics"]["data_bytes"]) for one in platform.readings if one["device"] == device)


async def test_both_sides_count_the_same_bytes(
    make_plan: Any, access: Access, platform: Any, sandbox: Any, stored_all: Any, ledger_lines: Any
) -> None:
    platform.free = sandbox.iccids[:3]
    await simulate(make_plan(sandbox_url=sandbox.url, time_scale=60), access)
    await stored_all({line["id"] for line in ledger_lines()})
    assert sorted(platform.iccids.values()) == platform.free
    today = datetime.now(UTC).date()
    for device, iccid in platform.iccids.items():
        assert sandbox.used(iccid, today) == sent(platform, device) > 0


async def test_two_weeks_pass_in_seconds_and_each_day_has_its_bytes(
    make_plan: Any, access: Access, platform: Any, sandbox: Any, stored_all: Any, ledger_lines: Any
) -> None:
    platform.free = sandbox.iccids[:2]
    timeline = Timeline.beginning("-14d", 14 * 86_400 / 2)
    plan = make_plan(
        devices=2, rate=42, duration=None, timeline=timeline, time_scale=1, sandbox_url=sandbox.url
    )
    counts = await simulate(plan, access)
    assert counts.accepted == counts.attempted == 2 * 84
    await stored_all({line["id"] for line in ledger_lines()})
    moments = [datetime.fromisoformat(one["ts"]) for one in platform.readings]
    assert timedelta(days=13) < max(moments) - min(moments) <= timedelta(days=14)
    assert max(moments) <= datetime.now(UTC)
    for device, iccid in platform.iccids.items():
        days: dict[Any, int] = {}
        for one in platform.readings:
            if one["device"] == device:
                day = datetime.fromisoformat(one["ts"]).date()
                days[day] = days.get(day, 0) + int(one["metrics"]["data_bytes"])
        assert {day: sandbox.used(iccid, day) for day in days} == days
        assert len(days) >= 14


async def test_the_next_run_keeps_the_sims(
    make_plan: Any, access: Access, platform: Any, sandbox: Any
) -> None:
    platform.free = sandbox.iccids[:2]
    await simulate(make_plan(devices=2, sandbox_url=sandbox.url), access)
    first = dict(platform.iccids)
    platform.free = sandbox.iccids[:6]
    await simulate(make_plan(devices=4, sandbox_url=sandbox.url), access)
    assert {device: platform.iccids[device] for device in first} == first
    assert len(set(platform.iccids.values())) == 4


async def test_a_simulated_past_needs_a_sim_for_each_device(
    make_plan: Any, access: Access, sandbox: Any
) -> None:
    plan = make_plan(timeline=Timeline.beginning("-1d", 86_400), sandbox_url=sandbox.url)
    with pytest.raises(CannotStart, match="3 devices have no SIM"):
        await simulate(plan, access)


async def test_usage_waits_while_the_sandbox_is_away_and_refused_bytes_are_counted(sandbox: Any) -> None:
    cards = SimCards(["a"])
    cards._iccids["a"] = sandbox.iccids[0]
    usage = CarrierUsage("http://127.0.0.1:9", cards, dated=False)
    reading = Reading("r", datetime.now(UTC), {"data_bytes": 1000})
    usage.accepted("a", [reading])
    usage.accepted("without", [reading])
    await usage.flush()
    assert (usage.booked, usage.without_sim) == (0, 1000)
    usage._url = f"{sandbox.url}/control/usage"
    await usage.flush()
    assert usage.booked == sandbox.used(sandbox.iccids[0], datetime.now(UTC).date()) == 1000
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=60) as http:
        await http.patch(f"/control/sims/{sandbox.iccids[0]}", json={"enabled": False})
    usage.accepted("a", [reading])
    await usage.flush()
    assert (usage.booked, usage.refused) == (1000, 1000)


async def test_bytes_on_their_way_when_a_run_ends_are_booked_once() -> None:
    arrived, answer = asyncio.Event(), asyncio.Event()

    async def book(request: web.Request) -> web.Response:
        arrived.set()
        booked.extend(await request.json())
        await answer.wait()
        return web.json_response({"bytes": 1000})

    booked: list[Any] = []
    async with served(book) as url:
        cards = SimCards(["a"])
        cards._iccids["a"] = "8988280666000000001"
        usage = CarrierUsage(url, cards, dated=False)
        async with asyncio.timeout(60):
            async with usage.running():
                usage.accepted("a", [Reading("r", datetime.now(UTC), {"data_bytes": 1000})])
                await arrived.wait()
                asyncio.get_running_loop().call_soon(answer.set)
    assert (len(booked), usage.booked) == (1, 1000)


@asynccontextmanager
async def served(book: Any) -> AsyncIterator[str]:
    """The address of a sandbox that does nothing but take usage."""
    app = web.Application()
    app.router.add_post("/control/usage", book)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("start", ["tomorrow", "-14x", "-d", "2099-01-01T00:00:00Z"])
def test_a_start_that_is_no_past_moment_is_refused(start: str) -> None:
    with pytest.raises(CannotStart):
        Timeline.beginning(start, 2)


def test_speed_without_a_start_is_refused() -> None:
    with pytest.raises(CannotStart):
        Timeline.beginning(None, 2)

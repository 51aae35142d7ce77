"""Row device-revocation: seconds until the MQTT session of a revoked device ends, beside mass deletions."""

import asyncio
import time
from dataclasses import replace

import httpx

from bench.access import Device, Fleet, Row, register
from bench.live import connect

DELETIONS = 2000
AT_ONCE = 4
MORE_SECONDS = 1.0


def run(fleet: Fleet) -> Row:
    """Alone, and in the midst of 2,000 deletions of another organisation."""
    return asyncio.run(_measure(fleet))


async def _measure(fleet: Fleet) -> Row:
    first, second = fleet.devices(2)
    others = await asyncio.to_thread(_neighbour, fleet)
    doomed = await asyncio.to_thread(others.devices, DELETIONS)
    alone = await _seconds_to_end(fleet, first)
    began = time.perf_counter()
    deleting = asyncio.create_task(_delete(others, doomed[DELETIONS // 2 :]))
    await _delete(others, doomed[: DELETIONS // 2])
    beside = await _seconds_to_end(fleet, second)
    await deleting
    rate = DELETIONS / (time.perf_counter() - began)
    figure = f"{beside:.1f} s beside {DELETIONS} deletions ({rate:.0f} a second)"
    ratio, reached = f"{beside / alone:.1f}", beside - alone <= MORE_SECONDS
    return Row(
        "device-revocation", figure, f"{alone:.1f} s alone", ratio, f"{MORE_SECONDS:.0f} s more", reached
    )


def _neighbour(fleet: Fleet) -> Fleet:
    login = register(fleet.access)
    answer = httpx.post(f"{fleet.api}/auth/login", json=login).raise_for_status()
    return replace(fleet, token=answer.json()["access_token"])


async def _delete(fleet: Fleet, devices: list[Device]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def delete(http: httpx.AsyncClient, device: Device) -> None:
        async with places:
            (await http.delete(f"{fleet.api}/devices/{device.id}")).raise_for_status()

    async with httpx.AsyncClient(headers=fleet.headers, timeout=60) as http:
        await asyncio.gather(*(delete(http, device) for device in devices))


async def _seconds_to_end(fleet: Fleet, device: Device) -> float:
    """From the answer to the revocation until the broker has closed the device's session."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    client = connect(fleet, device)

    def note(*_: object) -> None:
        loop.call_soon_threadsafe(ended.set)

    client.on_disconnect = note
    try:
        async with asyncio.timeout(120), httpx.AsyncClient(headers=fleet.headers, timeout=60) as http:
            while not client.is_connected():
                await asyncio.sleep(0.05)
            (await http.delete(f"{fleet.api}/devices/{device.id}/credentials")).raise_for_status()
            began = time.perf_counter()
            await ended.wait()
            return time.perf_counter() - began
    finally:
        client.loop_stop()

"""Row revocation: milliseconds from the answer to a logout until every service refuses the token."""

import asyncio
import statistics
import time

import httpx

from bench.access import Fleet, Row, register

ROUNDS = 30
REACH_MS = 1000.0
PATHS = ("/auth/me", "/devices/", "/sims", "/monitoring/stats")


def run(fleet: Fleet) -> Row:
    """The slowest of 30 logouts, beside one round of requests to the four services with a valid token."""
    return asyncio.run(_measure(fleet))


async def _measure(fleet: Fleet) -> Row:
    login = register(fleet.access)
    async with httpx.AsyncClient(base_url=fleet.api, timeout=15) as http:
        refused, valid = [], []
        for _ in range(ROUNDS):
            tokens = (await http.post("/auth/login", json=login)).raise_for_status().json()
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            valid.append(await _milliseconds_until(http, headers, 200))
            (await http.post("/auth/logout", headers=headers)).raise_for_status()
            refused.append(await _milliseconds_until(http, headers, 401))
    worst, round_trip = max(refused), statistics.median(valid)
    return Row(
        "revocation",
        f"{worst:.0f} ms at most, {statistics.median(refused):.0f} ms in the middle",
        f"{round_trip:.0f} ms a round of requests",
        f"{worst / round_trip:.1f}",
        f"{REACH_MS:.0f} ms",
        worst <= REACH_MS,
    )


async def _milliseconds_until(http: httpx.AsyncClient, headers: dict[str, str], status: int) -> float:
    """Milliseconds until all four answer with this status."""
    began = time.perf_counter()
    async with asyncio.timeout(60):
        while True:
            answers = await asyncio.gather(*(http.get(path, headers=headers) for path in PATHS))
            if all(answer.status_code == status for answer in answers):
                return 1000 * (time.perf_counter() - began)

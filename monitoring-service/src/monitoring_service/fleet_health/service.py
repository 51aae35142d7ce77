"""Asks every process of the fleet how it is."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from fleet_kit.health import (
    CHECK_SECONDS,
    REMEMBERED_SECONDS,
    Check,
    Degraded,
    Report,
    Unwell,
    run_checks,
    worst_of,
)
from fleet_kit.http_client import open_http
from fleet_kit.shared_call import SharedCall

_STEP_SECONDS = CHECK_SECONDS * 0.9
"""Less than a check may take, so that a slow process is given up by the client and not by the check."""


class FleetHealth:
    """One round of questions at a time, and its answer for all who ask until a second later.

    `checks` are this process's own; `neighbours` the addresses of all others by name.
    """

    def __init__(
        self, http: httpx.AsyncClient, checks: Mapping[str, Check], neighbours: Mapping[str, str]
    ) -> None:
        self._http, self._checks, self.neighbours = http, checks, neighbours
        self.report = SharedCall(self._ask_all, seconds=REMEMBERED_SECONDS)

    async def _ask_all(self) -> Report:
        others = {name: self._check(url) for name, url in self.neighbours.items()}
        own, beside = await asyncio.gather(run_checks(self._checks), run_checks(others))
        return worst_of(own[0], beside[0]), {"monitoring-service": own[0], **beside[1]}

    def _check(self, url: str) -> Check:
        async def check() -> None:
            _judge(await self._http.get(f"{url}/health"))

        return check


@asynccontextmanager
async def open_fleet_health(
    checks: Mapping[str, Check], neighbours: Mapping[str, str]
) -> AsyncIterator[FleetHealth]:
    """With connections of its own."""
    async with open_http(timeout_seconds=_STEP_SECONDS, connections=2 * len(neighbours)) as http:
        yield FleetHealth(http, checks, neighbours)


def _judge(answer: httpx.Response) -> None:
    """Raise what the answer says. The names of what is not well are for everybody, the reasons are not."""
    body = answer.json()
    failing = ", ".join(name for name, text in body["checks"].items() if text != "ok")
    if answer.is_error:
        raise Unwell(f"unavailable: {failing}")
    if body["status"] == "degraded":
        raise Degraded(failing)

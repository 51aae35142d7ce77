"""Drivers for the tests of what costs money; the sandbox's own ledger is the judge."""

from collections import Counter
from typing import Any
from uuid import uuid4

import httpx

from fleet_kit.testing import eventually
from once_sandbox.faults.schemas import FaultRule
from sim_service.topups.resolver import Resolver

from .support import Fleet

DAY = 86_400


async def control(fleet: Fleet, method: str, path: str, **options: Any) -> Any:
    """Ask the sandbox's control API."""
    async with httpx.AsyncClient(base_url=f"{fleet.sandbox.url}/control", timeout=30) as client:
        answer = await client.request(method, path, **options)
        assert answer.status_code < 300, answer.text
        return answer.json()


async def theirs(fleet: Fleet) -> dict[str, Any]:
    """The sandbox's ledger."""
    ledger: dict[str, Any] = await control(fleet, "GET", "/ledger")
    return ledger


async def pass_time(fleet: Fleet, seconds: float) -> None:
    """Let time pass at the carrier, so that payments arrive."""
    await control(fleet, "POST", "/clock", json={"advance_seconds": seconds})


def spoil(fleet: Fleet, kind: str, path: str = "/v?/sims/*topup", **more: Any) -> None:
    """Break the next call of that path, or as many as `count` says."""
    fleet.sandbox.sandbox.faults.add(FaultRule(kind=kind, path=path, **({"count": 1} | more)))


async def top_up(fleet: Fleet, iccid: str, *, key: str | None = None, **body: Any) -> httpx.Response:
    """Ask for a top-up as an operator."""
    headers = {"Idempotency-Key": key or str(uuid4())}
    wanted = {"payment_method": "credit_card"} | body
    return await fleet.ours.operator.post(f"/sims/{iccid}/topup", json=wanted, headers=headers)


async def look(fleet: Fleet, *, times: int = 1, give_up: float = 900) -> None:
    """Let the resolver look at everything that is open, however long it would wait."""
    resolver = Resolver(fleet.sessions, fleet.app.state.resources.carrier, give_up=give_up)
    for _ in range(times):
        await fleet.rows(
            "UPDATE top_ups SET next_look_at = now() WHERE state IN ('unknown', 'ordered') RETURNING id"
        )
        await fleet.calm_breaker()
        await resolver.look()


async def quiet(fleet: Fleet) -> None:
    """Wait until the carrier works on no call any more, also on none whose caller has gone."""

    async def nothing_under_way() -> bool:
        return fleet.sandbox.under_way == 0

    await eventually(nothing_under_way)


async def ours(fleet: Fleet) -> list[dict[str, Any]]:
    """The ledger as the platform administrator reads it."""
    rows: list[dict[str, Any]] = (await fleet.platform.get("/topups?page_size=200")).json()["items"]
    return rows


async def agree(fleet: Fleet) -> dict[str, int]:
    """Both ledgers, top-ups by ICCID; fails where they differ. What is returned are theirs."""
    bought = Counter(row["iccid"] for row in await ours(fleet) if row["state"] in {"ordered", "booked"})
    booked: dict[str, int] = (await theirs(fleet))["topups_by_iccid"]
    assert dict(bought) == booked
    return booked

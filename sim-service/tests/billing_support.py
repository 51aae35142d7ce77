"""Drivers for the tests of what costs money; the sandbox's own ledger is the judge."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx

from fleet_kit.testing import eventually
from once_sandbox.faults.schemas import FaultRule
from sim_service.billing.topups.reconciliation import TopUpReconciler

from .carrier_support import SHORT_TIME_BUDGETS
from .support import Fleet

DAY = 86_400


async def sandbox_control(fleet: Fleet, method: str, path: str, **options: Any) -> Any:
    """Ask the sandbox's control API."""
    async with httpx.AsyncClient(base_url=f"{fleet.sandbox.url}/control", timeout=60) as client:
        answer = await client.request(method, path, **options)
        assert answer.status_code < 300, answer.text
        return answer.json()


async def carrier_ledger(fleet: Fleet) -> dict[str, Any]:
    """The sandbox's ledger."""
    ledger: dict[str, Any] = await sandbox_control(fleet, "GET", "/ledger")
    return ledger


async def pass_time(fleet: Fleet, seconds: float) -> None:
    """Let time pass at the carrier, so that payments arrive."""
    await sandbox_control(fleet, "POST", "/clock", json={"advance_seconds": seconds})


def inject_fault(fleet: Fleet, kind: str, path: str = "/v?/sims/*topup", **more: Any) -> None:
    """Break the next call of that path, or as many as `count` says."""
    fleet.sandbox.sandbox.faults.add(FaultRule(kind=kind, path=path, **({"count": 1} | more)))


@contextmanager
def short_time_budgets(fleet: Fleet) -> Iterator[None]:
    """Let calls to the carrier time out after half a second, so that a late answer is a lost one."""
    transport = fleet.app.state.resources.carrier._transport
    budgets, transport._budgets = transport._budgets, SHORT_TIME_BUDGETS
    try:
        yield
    finally:
        transport._budgets = budgets


async def top_up(fleet: Fleet, iccid: str, *, key: str | None = None, **body: Any) -> httpx.Response:
    """Ask for a top-up as an operator."""
    headers = {"Idempotency-Key": key or str(uuid4())}
    wanted = {"payment_method": "credit_card"} | body
    return await fleet.ours.operator.post(f"/sims/{iccid}/topup", json=wanted, headers=headers)


async def poll_top_ups(fleet: Fleet, *, times: int = 1, give_up: float = 900) -> None:
    """Poll everything that is open, however long it would wait."""
    reconciler = TopUpReconciler(fleet.sessions, fleet.app.state.resources.carrier, give_up=give_up)
    for _ in range(times):
        await fleet.rows(
            "UPDATE top_ups SET next_look_at = now() WHERE state IN ('unknown', 'ordered') RETURNING id"
        )
        await fleet.calm_breaker()
        await reconciler.poll()


async def carrier_idle(fleet: Fleet) -> None:
    """Wait until the carrier works on no call any more, also on none whose caller has gone."""

    async def nothing_under_way() -> bool:
        return fleet.sandbox.under_way == 0

    await eventually(nothing_under_way)


async def our_ledger(fleet: Fleet) -> list[dict[str, Any]]:
    """The ledger as the platform administrator reads it."""
    rows: list[dict[str, Any]] = (await fleet.platform.get("/topups?page_size=200")).json()["items"]
    return rows


async def agreed_ledgers(fleet: Fleet) -> dict[str, int]:
    """Both ledgers, top-ups by ICCID; fails where they differ. What is returned are theirs."""
    bought = Counter(row["iccid"] for row in await our_ledger(fleet) if row["state"] in {"ordered", "booked"})
    booked: dict[str, int] = (await carrier_ledger(fleet))["topups_by_iccid"]
    assert dict(bought) == booked
    return booked

"""Wishes for SIMs, and what became of them."""

from typing import Any

from ..support import Fleet


async def change(fleet: Fleet, iccid: str, expected: int = 202, /, **fields: Any) -> dict[str, Any]:
    answer = await fleet.ours.operator.patch(f"/sims/{iccid}", json=fields)
    assert answer.status_code == expected, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def sim(fleet: Fleet, iccid: str) -> dict[str, Any]:
    body: dict[str, Any] = (await fleet.ours.viewer.get(f"/sims/{iccid}")).json()
    return body


async def states(fleet: Fleet, iccid: str) -> list[tuple[str, Any, str]]:
    """What, wanted and state of the SIM's actions, oldest first."""
    items = (await fleet.ours.viewer.get(f"/sims/{iccid}/actions")).json()["items"]
    return [(item["what"], item["wanted"], item["state"]) for item in reversed(items)]


async def stands(fleet: Fleet, iccid: str) -> tuple[str | None, str, str]:
    shown = await sim(fleet, iccid)
    return shown["desired_status"], shown["status"], shown["lifecycle"]


def at_carrier(fleet: Fleet, iccid: str) -> Any:
    return fleet.sandbox.sandbox.world.sims.get(iccid)

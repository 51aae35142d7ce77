"""Making top-up policies and letting them evaluate."""

from typing import Any

import httpx

from ..billing_support import (
    pass_time,
    poll_top_ups,
)
from ..support import Fleet, Organization


async def policy_of(
    fleet: Fleet, *, organization: Organization | None = None, **fields: Any
) -> dict[str, Any]:
    """A policy that buys below 20 %, once a month and for at most 100 euros."""
    body = {
        "name": "keep them going",
        "trigger": {"remaining_below_percent": 20},
        "budget_per_month": "100",
        "payment_method": "credit_card",
    } | fields
    answer = await (organization or fleet.ours).operator.post("/topup-policies", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def evaluate(fleet: Fleet, policy: dict[str, Any]) -> dict[str, int]:
    """Evaluate the policy; how often each decision was made."""
    asked = await fleet.ours.operator.post(f"/topup-policies/{policy['id']}/evaluate")
    assert asked.status_code == 202, asked.text
    return await worked(fleet, asked)


async def worked(fleet: Fleet, asked: httpx.Response) -> dict[str, int]:
    """Let the worker do the job whose address the answer carries."""
    while await fleet.runner().once():
        pass
    path = asked.headers["location"].removeprefix("/api/v1")
    job = (await fleet.ours.operator.get(path)).json()
    assert job["state"] == "succeeded", job
    counts: dict[str, int] = job["result"]
    return counts


async def decided(fleet: Fleet, policy: dict[str, Any]) -> set[tuple[str, str, str]]:
    page = await fleet.ours.viewer.get(f"/topup-policies/{policy['id']}/decisions?page_size=200")
    return {(row["iccid"], row["decision"], row["reason"]) for row in page.json()["items"]}


def leave(fleet: Fleet, share: float, *indexes: int) -> None:
    """So much of these SIMs' data is left."""
    for index in indexes:
        quota = fleet.sandbox.sims()[index].data
        quota.used = int(quota.granted * (1 - share))


async def a_day_later(fleet: Fleet) -> None:
    """The quotas that are known are old by now."""
    await fleet.rows("UPDATE sim_quotas SET fetched_at = now() - interval '25 hours' RETURNING iccid")


async def settled(fleet: Fleet) -> None:
    await pass_time(fleet, 3)
    await poll_top_ups(fleet, times=2)

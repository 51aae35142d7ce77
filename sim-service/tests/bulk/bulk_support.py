"""Asking for bulk jobs and running them."""

from typing import Any

from ..support import Fleet

STRANGER = "8988280666000099999"


PAID = {"payment_method": "credit_card"}


async def bulk(fleet: Fleet, action: str, iccids: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """A bulk job, as an operator asks for it."""
    body = {"action": action, **({"iccids": iccids} if iccids else {}), **more}
    answer = await fleet.ours.operator.post("/sims/bulk", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json()['id']}"
    job: dict[str, Any] = answer.json()
    return job


async def release(fleet: Fleet, iccid: str) -> None:
    """Give a SIM back, so that an item of a job no longer finds it."""
    answer = await fleet.ours.admin.delete(f"/sims/{iccid}/claim")
    assert answer.status_code < 300, answer.text


async def run(fleet: Fleet, **changes: Any) -> None:
    """Let the worker take up everything, also what was put off."""
    runner = fleet.runner(**changes)
    for _ in range(3):
        await fleet.rows("UPDATE jobs SET due_at = now() WHERE kind = 'bulk' AND due_at > now() RETURNING id")
        while await runner.once():
            pass


async def job_of(fleet: Fleet, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await fleet.ours.viewer.get(f"/jobs/{job['id']}")).json()
    return found


async def items(fleet: Fleet, job: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    page = (await fleet.ours.viewer.get(f"/jobs/{job['id']}/items", params=query)).json()
    found: list[dict[str, Any]] = page["items"]
    return found

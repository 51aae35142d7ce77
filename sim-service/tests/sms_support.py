"""Builders for messages, on our side and in the sandbox."""

from typing import Any

from once_sandbox.connectivity import sessions
from once_sandbox.faults.schemas import FaultRule
from once_sandbox.sms.models import Sms
from once_sandbox.timeline import settle
from sim_service.messages.sms.jobs import SmsJobs

from .support import Fleet


async def send(fleet: Fleet, iccid: str, status: int = 201, *, key: str | None = None, **body: Any) -> Any:
    """Send a message as an operator; the answer's body."""
    headers = {"Idempotency-Key": key} if key else None
    answer = await fleet.ours.operator.post(f"/sims/{iccid}/sms", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def shown(fleet: Fleet, iccid: str, message_id: str) -> dict[str, Any]:
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/sms/{message_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def at_carrier(fleet: Fleet, iccid: str) -> list[Sms]:
    """What the carrier holds for a SIM, oldest first."""
    world = fleet.sandbox.sandbox.world
    return world.sms.of(iccid, world.clock.now())[::-1]


def attach(fleet: Fleet, index: int) -> None:
    """Put a SIM on the network, where messages reach it."""
    sessions.attach(fleet.sandbox.sandbox.world, fleet.sandbox.sims()[index])


def pass_time(fleet: Fleet, seconds: float) -> None:
    world = fleet.sandbox.sandbox.world
    world.clock.move(by=seconds)
    settle(world)


def fault(fleet: Fleet, kind: str, path: str = "/v?/sims/*/sms", **more: Any) -> None:
    rule = {"kind": kind, "path": path, "method": "POST", "count": 1} | more
    fleet.sandbox.sandbox.faults.add(FaultRule.model_validate(rule))


def sms_jobs(fleet: Fleet, *, settled_after: float = 0) -> SmsJobs:
    """`settled_after` 0: what one poll does not find was not sent."""
    resources = fleet.app.state.resources
    return SmsJobs(resources.sessions, resources.carrier, settled_after=settled_after)


async def send_and_poll(fleet: Fleet, *, settled_after: float = 0) -> None:
    """Send what is due, then look at what is under way."""
    worker = sms_jobs(fleet, settled_after=settled_after)
    await worker.send_due()
    await worker.poll_due()


async def run_all_due(fleet: Fleet, *, settled_after: float = 0) -> None:
    """Let everything fall due and have the worker see to it."""
    await fleet.rows(
        "UPDATE sms_messages SET look_at = now() - interval '1 second' "
        "WHERE look_at IS NOT NULL AND state <> 'scheduled' RETURNING id"
    )
    await send_and_poll(fleet, settled_after=settled_after)

"""Steps: what a bulk action does to one SIM, and how its result is learnt.

A step starts in the transaction that records the start, so a crash leaves both or neither. Starting only
stores a request (a change, a purchase, a message), which its own feature carries out; the job polls for the
result. So the job never repeats anything that costs money.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import FleetError
from sim_service.carrier.models import Priority, SimChange
from sim_service.inventory.sims.service import SimService
from sim_service.lifecycle.actions.models import ActionState, SimAction
from sim_service.lifecycle.actions.service import ActionService
from sim_service.work.job_items.models import ItemState, JobItem
from sim_service.work.jobs.handle import JobLease


@dataclass(frozen=True, slots=True)
class StepResult:
    """The state of one SIM, WORKING until it is final; `result` is stored with the item and shown."""

    state: ItemState
    result: Mapping[str, Any] | None = None
    error_code: str | None = None
    error: str | None = None

    @classmethod
    def failed(cls, error: FleetError) -> "StepResult":
        return cls(ItemState.FAILED, error_code=error.code, error=error.message)


StepResults = Mapping[int, StepResult]
"""By item number; an item that is missing is unchanged."""


class Step(Protocol):
    async def start(self, session: AsyncSession, lease: JobLease, iccid: str) -> StepResult:
        """Store the request; raises FleetError before anything is written."""

    async def poll(self, lease: JobLease, items: Sequence[JobItem], *, may_start: bool) -> StepResults:
        """Results of started items; without `may_start` the job is ending and nothing new may begin."""


class TagStep:
    """Adds or removes tags; final at once."""

    def __init__(self, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        self._add, self._remove = add, remove

    async def start(self, session: AsyncSession, lease: JobLease, iccid: str) -> StepResult:
        sim = await SimService(session, lease.scope).tag(iccid, add=self._add, remove=self._remove)
        return StepResult(ItemState.SUCCEEDED, {"tags": sim.tags})

    async def poll(self, lease: JobLease, items: Sequence[JobItem], *, may_start: bool) -> StepResults:
        return {}


class ChangeStep:
    """Changes SIMs at the carrier; final when the carrier shows the change."""

    def __init__(self, change: SimChange) -> None:
        self._change = change

    async def start(self, session: AsyncSession, lease: JobLease, iccid: str) -> StepResult:
        actions = await ActionService(session, lease.scope).request(
            iccid, self._change, by=lease.requested_by, priority=Priority.BACKGROUND
        )
        if not actions:
            return StepResult(ItemState.SUCCEEDED, {"changed": False})
        return StepResult(ItemState.WORKING, {"actions": [str(action.id) for action in actions]})

    async def poll(self, lease: JobLease, items: Sequence[JobItem], *, may_start: bool) -> StepResults:
        wanted = {item.number: [UUID(one) for one in (item.result or {})["actions"]] for item in items}
        async with lease.sessions() as session:
            ids = [one for ids in wanted.values() for one in ids]
            found = {action.id: action for action in await ActionService(session, lease.scope).some(ids)}
        return {
            number: _of_actions([found[one] for one in ids if one in found], len(ids))
            for number, ids in wanted.items()
        }


_ENDS = {
    ActionState.FAILED: ("ACTION_FAILED", "the carrier did not do it"),
    ActionState.SUPERSEDED: ("ACTION_SUPERSEDED", "something else was wanted meanwhile"),
}


def _of_actions(actions: Sequence[SimAction], number: int) -> StepResult:
    shown = {"actions": [str(action.id) for action in actions]}
    if len(actions) < number:
        return StepResult(ItemState.FAILED, shown, "SIM_NOT_FOUND", "the SIM is not there any more")
    for action in actions:
        if (end := _ENDS.get(ActionState(action.state))) is not None:
            code, words = end
            return StepResult(ItemState.FAILED, shown, code, action.reason or words)
    if any(action.is_open for action in actions):
        return StepResult(ItemState.WORKING, shown)
    return StepResult(ItemState.SUCCEEDED, shown | {"changed": True})

"""What a bulk action does to one SIM, and how one learns what became of it.

A step begins in the transaction that notes that it did, so a crash leaves it either begun and noted or
neither. What begins is a wish written down (a change, a purchase, a message), which its own feature brings
about and settles; the job only looks. So nothing that costs money is ever done again by the job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import FleetError
from sim_service.carrier.facts import Priority, SimChange
from sim_service.job_items.models import ItemState, JobItem
from sim_service.jobs.runner import Held
from sim_service.lifecycle.models import ActionState, SimAction
from sim_service.lifecycle.service import LifecycleService
from sim_service.sims.service import SimService


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a SIM is: WORKING until it is settled. `result` is kept with the item and shown."""

    state: ItemState
    result: Mapping[str, Any] | None = None
    error_code: str | None = None
    error: str | None = None

    @classmethod
    def failed(cls, error: FleetError) -> "Outcome":
        """It cannot be done, for this reason."""
        return cls(ItemState.FAILED, error_code=error.code, error=error.message)


Looked = Mapping[int, Outcome]
"""By the number of the item; what is not in it is as it was."""


class Step(Protocol):
    """One bulk action with its parameters."""

    async def begin(self, session: AsyncSession, held: Held, iccid: str) -> Outcome:
        """Write down what is wanted; raises FleetError before it has written anything."""
        ...

    async def look(self, held: Held, items: Sequence[JobItem], *, go_on: bool) -> Looked:
        """What became of items that were begun; without `go_on` the job is ending and nothing is added."""
        ...


class TagStep:
    """Adds tags or takes them away; over at once."""

    def __init__(self, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        self._add, self._remove = add, remove

    async def begin(self, session: AsyncSession, held: Held, iccid: str) -> Outcome:
        """See Step."""
        sim = await SimService(session, held.scope).tag(iccid, add=self._add, remove=self._remove)
        return Outcome(ItemState.SUCCEEDED, {"tags": sim.tags})

    async def look(self, held: Held, items: Sequence[JobItem], *, go_on: bool) -> Looked:
        """Nothing is ever open."""
        return {}


class ChangeStep:
    """Changes SIMs at the carrier; over when the carrier shows it."""

    def __init__(self, change: SimChange) -> None:
        self._change = change

    async def begin(self, session: AsyncSession, held: Held, iccid: str) -> Outcome:
        """See Step."""
        actions = await LifecycleService(session, held.scope).request(
            iccid, self._change, by=held.requested_by, priority=Priority.BACKGROUND
        )
        if not actions:
            return Outcome(ItemState.SUCCEEDED, {"changed": False})
        return Outcome(ItemState.WORKING, {"actions": [str(action.id) for action in actions]})

    async def look(self, held: Held, items: Sequence[JobItem], *, go_on: bool) -> Looked:
        """See Step."""
        wanted = {item.number: [UUID(one) for one in (item.result or {})["actions"]] for item in items}
        async with held.sessions() as session:
            ids = [one for ids in wanted.values() for one in ids]
            found = {action.id: action for action in await LifecycleService(session, held.scope).some(ids)}
        return {
            number: _of_actions([found[one] for one in ids if one in found], len(ids))
            for number, ids in wanted.items()
        }


_ENDS = {
    ActionState.FAILED: ("ACTION_FAILED", "the carrier did not do it"),
    ActionState.SUPERSEDED: ("ACTION_SUPERSEDED", "something else was wanted meanwhile"),
}


def _of_actions(actions: Sequence[SimAction], number: int) -> Outcome:
    shown = {"actions": [str(action.id) for action in actions]}
    if len(actions) < number:
        return Outcome(ItemState.FAILED, shown, "SIM_NOT_FOUND", "the SIM is not there any more")
    for action in actions:
        if (end := _ENDS.get(ActionState(action.state))) is not None:
            code, words = end
            return Outcome(ItemState.FAILED, shown, code, action.reason or words)
    if any(action.is_open for action in actions):
        return Outcome(ItemState.WORKING, shown)
    return Outcome(ItemState.SUCCEEDED, shown | {"changed": True})

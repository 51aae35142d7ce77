"""The rules of changes: requested here, stored as actions, carried out by the worker (reconciler.py)."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import NotFound
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.carrier.models import Priority, SimChange, SimStatus
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.lifecycle.actions.models import ActionKind, ActionState, SimAction, wanted_parts
from sim_service.lifecycle.actions.repository import ActionRepository


class ActionService:
    """Changes at the carrier as one organisation asks for them."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session = session
        self._sims, self._actions = SimService(session, scope), ActionRepository(session, scope)

    async def request(
        self, iccid: str, change: SimChange, *, by: UUID | None, priority: Priority = Priority.INTERACTIVE
    ) -> list[SimAction]:
        """Ask for a change of one SIM; the open actions that bring it about, none if all is so already.

        `by`: the user, None for a rule of ours. A newer request supersedes an open one of the same kind, an
        equal one joins it. Raises NotFound, or Conflict for an unclaimed SIM.
        """
        sim = await self._sims.get(iccid, for_update=True)
        owner = owner_of(sim)
        open_now = {action.what: action for action in await self._actions.open([iccid])}
        asked: list[SimAction] = []
        for what, wanted in wanted_parts(change).items():
            present = open_now.get(what)
            if present is not None and present.wanted == wanted:
                present.join(_urgency(priority))
                asked.append(present)
                continue
            if present is None and _is_already(sim, what, wanted):
                continue
            if present is not None:
                present.finish(ActionState.SUPERSEDED)
                await self._session.flush()
                await self._actions.forget_superseded(iccid)
            asked.append(self._add(sim, owner, what, wanted, by, priority))
        if change.status is not None:
            _set_desired_status(
                sim, change.status, under_way=any(one.what == ActionKind.STATUS for one in asked)
            )
        await self._session.flush()
        return asked

    async def supersede_open(self, iccid: str, reason: str) -> None:
        """End everything that is open for a SIM, whose row the caller has locked."""
        for action in await self._actions.open([iccid]):
            action.finish(ActionState.SUPERSEDED, reason)

    async def get(self, iccid: str, action_id: UUID) -> SimAction:
        await self._sims.get(iccid)
        action = await self._actions.get(iccid, action_id)
        if action is None:
            raise NotFound("no such action", code="ACTION_NOT_FOUND")
        return action

    async def some(self, ids: Collection[UUID]) -> Sequence[SimAction]:
        """Those of the actions that exist."""
        return await self._actions.some(ids)

    async def page(self, iccid: str, paging: PageParams) -> PageResult[SimAction]:
        """One page of a SIM's actions, newest first; raises NotFound."""
        await self._sims.get(iccid)
        return await self._actions.page(iccid, paging)

    def _add(
        self, sim: Sim, owner: UUID, what: ActionKind, wanted: str | bool, by: UUID | None, priority: Priority
    ) -> SimAction:
        action = SimAction(
            iccid=sim.iccid,
            organization_id=owner,
            what=what,
            wanted=wanted,
            priority=_urgency(priority),
            requested_by=by,
        )
        self._actions.add(action)
        return action


def _urgency(priority: Priority) -> int:
    return 0 if priority == Priority.INTERACTIVE else 1


def _is_already(sim: Sim, what: ActionKind, wanted: str | bool) -> bool:
    if what == ActionKind.LABEL:
        return sim.has_label(str(wanted))
    if what == ActionKind.IMEI_LOCK:
        return bool(sim.imei_lock) == wanted
    return sim.status == wanted and sim.desired_status in {None, wanted}


def _set_desired_status(sim: Sim, status: SimStatus, *, under_way: bool) -> None:
    if under_way:
        sim.set_desired_status(status)
    elif sim.desired_status != status:
        sim.settle(status)

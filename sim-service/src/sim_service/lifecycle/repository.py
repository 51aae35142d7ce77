"""Queries on `sim_actions`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.lifecycle.models import OPEN_STATES, SimAction

# Ids are made in the order of time.
_NEWEST = Order("-id", SimAction.id, SimAction.id)


class ActionRepository:
    """Actions of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    def add(self, action: SimAction) -> None:
        """A new action."""
        self._session.add(action)

    async def get(self, iccid: str, action_id: UUID) -> SimAction | None:
        """One action of a SIM."""
        statement = self._of(iccid).where(SimAction.id == action_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def some(self, ids: Collection[UUID]) -> Sequence[SimAction]:
        """Those of the actions that exist."""
        statement = select(SimAction).where(
            self._scope.where(SimAction.organization_id), SimAction.id.in_(ids)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def page(self, iccid: str, paging: PageParams) -> Found[SimAction]:
        """A page of a SIM's actions, newest first."""
        return await find_page(self._session, self._of(iccid), _NEWEST, paging)

    async def open(self, iccids: Collection[str]) -> Sequence[SimAction]:
        """What is still to be done for these SIMs; lock the SIMs before."""
        statement = (
            select(SimAction)
            .where(
                self._scope.where(SimAction.organization_id),
                SimAction.iccid.in_(iccids),
                SimAction.state.in_(OPEN_STATES),
            )
            .order_by(SimAction.id)
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def due(self, limit: int) -> Sequence[str]:
        """ICCIDs for which something is to be done now, those that somebody waits for first."""
        other = aliased(SimAction)
        leased = exists().where(other.iccid == SimAction.iccid, other.leased_until > func.now())
        statement = (
            select(SimAction.iccid)
            .where(
                self._scope.where(SimAction.organization_id),
                SimAction.state.in_(OPEN_STATES),
                SimAction.due_at <= func.now(),
                ~leased,
            )
            .order_by(SimAction.priority, SimAction.due_at)
            .limit(limit)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def leased(self, iccid: str) -> bool:
        """Whether a worker is at one of the SIM's actions, superseded ones included."""
        statement = select(func.count()).where(
            self._scope.where(SimAction.organization_id),
            SimAction.iccid == iccid,
            SimAction.leased_until > func.now(),
        )
        return bool((await self._session.execute(statement)).scalar_one())

    async def give_back(self, action_ids: Collection[UUID]) -> None:
        """Nobody is at these any more."""
        statement = update(SimAction).where(
            self._scope.where(SimAction.organization_id), SimAction.id.in_(action_ids)
        )
        await self._session.execute(statement.values(leased_until=None))

    async def hasten(self, now: datetime) -> None:
        """Everything that waits for its next attempt is due now."""
        statement = update(SimAction).where(
            self._scope.where(SimAction.organization_id), SimAction.state.in_(OPEN_STATES)
        )
        await self._session.execute(statement.values(due_at=now))

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete at most so many actions that were over before a moment; how many went."""
        mine = self._scope.where(SimAction.organization_id)
        old = select(SimAction.id).where(mine, SimAction.finished_at < before).limit(limit)
        statement = delete(SimAction).where(SimAction.id.in_(old)).returning(SimAction.id)
        return len((await self._session.execute(statement)).all())

    def _of(self, iccid: str) -> Select[SimAction]:
        return select(SimAction).where(self._scope.where(SimAction.organization_id), SimAction.iccid == iccid)

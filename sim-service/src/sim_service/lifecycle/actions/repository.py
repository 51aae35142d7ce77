from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, update

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.lifecycle.actions.models import OPEN_STATES, SUPERSEDED_OF_A_SIM, ActionState, SimAction
from sim_service.lifecycle.actions.queue import BACKGROUND_FIRST, URGENT_FIRST
from sim_service.platform.scoped_repository import ScopedRepository

# Ids are made in the order of time.
_NEWEST = SortOrder("-id", SimAction.id, SimAction.id)


class ActionRepository(ScopedRepository):
    async def get(self, iccid: str, action_id: UUID) -> SimAction | None:
        return await self._one(self._of(iccid).where(SimAction.id == action_id))

    async def some(self, ids: Collection[UUID]) -> Sequence[SimAction]:
        return await self._all(self._owned(SimAction).where(SimAction.id.in_(ids)))

    async def page(self, iccid: str, paging: PageParams) -> PageResult[SimAction]:
        return await find_page(self._session, self._of(iccid), _NEWEST, paging)

    async def open(self, iccids: Collection[str]) -> Sequence[SimAction]:
        """What is still to be done for these SIMs; lock the SIMs before."""
        return await self._all(
            self._owned(SimAction)
            .where(SimAction.iccid.in_(iccids), SimAction.state.in_(OPEN_STATES))
            .order_by(SimAction.id)
            .execution_options(populate_existing=True)
        )

    async def forget_superseded(self, iccid: str) -> None:
        """Forget all superseded ones but the newest; none of those that a worker is at."""
        old = (
            select(SimAction.id)
            .where(SimAction.iccid == iccid, SimAction.state == ActionState.SUPERSEDED)
            .order_by(SimAction.id.desc())
            .offset(SUPERSEDED_OF_A_SIM)
        )
        idle = or_(SimAction.leased_until.is_(None), SimAction.leased_until < func.now())
        statement = delete(SimAction).where(SimAction.id.in_(old), idle)
        await self._session.execute(statement.execution_options(synchronize_session=False))

    async def due(self, limit: int, *, background_first: bool = False) -> Sequence[str]:
        """ICCIDs of all organisations for which something is to be done now, in the order to do it."""
        queue = BACKGROUND_FIRST if background_first else URGENT_FIRST
        return (await self._session.execute(queue, {"limit": limit})).scalars().all()

    async def leased(self, iccid: str) -> bool:
        """Whether a worker is at one of the SIM's actions, superseded ones included."""
        statement = select(func.count()).where(
            self._scope.where(SimAction.organization_id),
            SimAction.iccid == iccid,
            SimAction.leased_until > func.now(),
        )
        return bool((await self._session.execute(statement)).scalar_one())

    async def release_leases(self, action_ids: Collection[UUID], until: datetime) -> None:
        """End leases that run `until` then: those of a worker that took over later go on."""
        statement = update(SimAction).where(
            self._scope.where(SimAction.organization_id),
            SimAction.id.in_(action_ids),
            SimAction.leased_until == until,
        )
        await self._session.execute(statement.values(leased_until=None))

    async def make_due(self, now: datetime) -> None:
        """Everything that waits for its next attempt is due now."""
        statement = update(SimAction).where(
            self._scope.where(SimAction.organization_id), SimAction.state.in_(OPEN_STATES)
        )
        await self._session.execute(statement.values(due_at=now))

    def _of(self, iccid: str) -> Select[SimAction]:
        return self._owned(SimAction).where(SimAction.iccid == iccid)

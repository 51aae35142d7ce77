from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, select
from sqlalchemy.dialects.postgresql import insert

from fleet_kit.database import plan_by_value
from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.inventory.sims.filters import conditions
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.schemas import SimConditions
from sim_service.platform.database import among
from sim_service.platform.scoped_repository import ScopedRepository


class SimRepository(ScopedRepository):
    async def get(self, iccid: str, *, for_update: bool = False) -> Sim | None:
        return await self._one(self._owned(Sim).where(Sim.iccid == iccid), for_update=for_update)

    async def in_device(self, device_id: UUID) -> Sim | None:
        """The SIM linked to a device; lock it before a change."""
        return await self._one(self._owned(Sim).where(Sim.device_id == device_id))

    async def some(self, iccids: Collection[str]) -> Sequence[Sim]:
        """Those of the SIMs that exist, in the order of their ICCIDs."""
        return await self._all(self._owned(Sim).where(Sim.iccid.in_(iccids)).order_by(Sim.iccid))

    async def owned(self, iccids: Collection[str]) -> set[str]:
        """Those of the ICCIDs that the scope has."""
        statement = select(Sim.iccid).where(self._scope.where(Sim.organization_id), among(Sim.iccid, iccids))
        return set(await self._all(statement))

    async def locked(self, iccids: Collection[str]) -> Sequence[Sim]:
        """Those of the SIMs that exist, locked in the one order that everybody uses."""
        return await self._all(self._locking(iccids, skip_locked=False))

    async def locked_if_free(self, iccids: Collection[str]) -> Sequence[Sim]:
        """Those of the SIMs that nobody else has locked, locked until the commit."""
        return await self._all(self._locking(iccids, skip_locked=True))

    async def page(self, wanted: SimConditions, order: SortOrder, paging: PageParams) -> PageResult[Sim]:
        await self._prepare(wanted)
        return await find_page(self._session, self._owned(Sim).where(*conditions(wanted)), order, paging)

    async def iccids(self, wanted: SimConditions, limit: int) -> Sequence[str]:
        await self._prepare(wanted)
        statement = select(Sim.iccid).where(self._scope.where(Sim.organization_id))
        statement = statement.where(*conditions(wanted)).order_by(Sim.iccid).limit(limit)
        return await self._all(statement)

    async def columns(
        self, names: Sequence[str], wanted: SimConditions, *, after: str, limit: int
    ) -> Sequence[RowMapping]:
        """Columns of the SIMs behind an ICCID, in the order of their ICCIDs."""
        await self._prepare(wanted)
        table = Sim.metadata.tables[Sim.__tablename__]
        statement = select(*(table.c[name] for name in names)).where(
            self._scope.where(Sim.organization_id), Sim.iccid > after
        )
        statement = statement.where(*conditions(wanted)).order_by(Sim.iccid).limit(limit)
        return (await self._session.execute(statement)).mappings().all()

    async def _prepare(self, wanted: SimConditions) -> None:
        if wanted.search:
            await plan_by_value(self._session)

    async def insert_new(self, rows: Sequence[dict[str, Any]]) -> set[str]:
        """Insert those that nobody else has inserted meanwhile; their ICCIDs."""
        if not rows:
            return set()
        # Rows apart from the statement: its compiled form is found again, whatever their number.
        statement = (
            insert(Sim.metadata.tables[Sim.__tablename__]).on_conflict_do_nothing().returning(Sim.iccid)
        )
        connection = await self._session.connection()
        return set((await connection.execute(statement, list(rows))).scalars())

    async def unlisted(self, carrier: str, listed: Select[str], *, after: str, limit: int) -> Sequence[str]:
        """ICCIDs behind `after` that count as present but are not in the subquery `listed`."""
        statement = select(Sim.iccid).where(
            self._scope.where(Sim.organization_id),
            Sim.carrier == carrier,
            Sim.missing_since.is_(None),
            Sim.iccid > after,
            Sim.iccid.not_in(listed),
        )
        return await self._all(statement.order_by(Sim.iccid).limit(limit))

    def _locking(self, iccids: Collection[str], *, skip_locked: bool) -> Select[Sim]:
        statement = self._owned(Sim).where(Sim.iccid.in_(iccids)).order_by(Sim.iccid)
        return statement.with_for_update(skip_locked=skip_locked).execution_options(populate_existing=True)

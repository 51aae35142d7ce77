from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.types import TypeEngine

from fleet_kit.database import UtcDateTime
from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.inventory.releases.models import SimRelease
from sim_service.inventory.sims.models import IN_SERVICE, Sim
from sim_service.lifecycle.network_events.models import SimEvent, SimEventState
from sim_service.lifecycle.network_events.schemas import EventQuery
from sim_service.platform.scoped_repository import ScopedRepository

_TEXTS = (
    "id", "iccid", "type", "severity", "description", "cause", "operator", "country", "imsi", "imei",
)  # fmt: skip
_COLUMNS: dict[str, TypeEngine[Any]] = dict.fromkeys(_TEXTS, Text()) | {
    "at": UtcDateTime,
    "type_id": Integer(),
    "detail": JSONB(),
}
WRITTEN = tuple(_COLUMNS)
_NEWEST = SortOrder("-at", SimEvent.at, SimEvent.id)
_TABLE = SimEvent.metadata.tables[SimEvent.__tablename__]


class NetworkEventRepository(ScopedRepository):
    async def store(self, rows: Sequence[dict[str, Any]]) -> int:
        """Add those that are not known yet, for who had their SIMs at the time; how many were new.

        That is who next gave the SIM back, else its present owner. What came in before its SIM had an owner
        gets one when it comes again. One statement for all rows, in one order, so that two such statements
        never wait for each other in a circle.
        """
        given = (
            func.jsonb_to_recordset(bindparam("rows", type_=JSONB))
            .table_valued(*(column(name, kind) for name, kind in _COLUMNS.items()))
            .render_derived("given", with_types=True)
        )
        had_it = (
            select(SimRelease.organization_id)
            .where(SimRelease.iccid == given.c.iccid, SimRelease.released_at >= given.c.at)
            .order_by(SimRelease.released_at)
            .limit(1)
            .scalar_subquery()
        )
        source = (
            select(*(given.c[name] for name in WRITTEN), func.coalesce(had_it, Sim.organization_id))
            .select_from(given)
            .outerjoin(Sim, Sim.iccid == given.c.iccid)
            .order_by(given.c.iccid, given.c.id)
        )
        statement = insert(_TABLE).from_select([*WRITTEN, "organization_id"], source)
        owner = statement.excluded.organization_id
        statement = statement.on_conflict_do_update(
            index_elements=["iccid", "id"],
            set_={"organization_id": owner},
            where=and_(SimEvent.organization_id.is_(None), owner.is_not(None)),
        )
        written = statement.returning(literal_column("xmax = 0", Boolean))
        connection = await self._session.connection()
        return sum((await connection.execute(written, {"rows": list(rows)})).scalars())

    async def page(self, iccid: str, wanted: EventQuery, paging: PageParams) -> PageResult[SimEvent]:
        statement = self._of(iccid)
        if wanted.type:
            statement = statement.where(SimEvent.type.in_(wanted.type))
        if wanted.severity:
            statement = statement.where(SimEvent.severity.in_(wanted.severity))
        if wanted.first is not None:
            statement = statement.where(SimEvent.at >= wanted.first)
        if wanted.before is not None:
            statement = statement.where(SimEvent.at < wanted.before)
        return await find_page(self._session, statement, _NEWEST, paging)

    async def newest(self, iccid: str, limit: int) -> Sequence[SimEvent]:
        statement = self._of(iccid).order_by(SimEvent.at.desc(), SimEvent.id.desc()).limit(limit)
        return await self._all(statement)

    async def state(self, iccid: str) -> SimEventState | None:
        return await self._one(self._owned(SimEventState).where(SimEventState.iccid == iccid))

    async def note(self, iccid: str, *, known_to: datetime | None, **values: Any) -> None:
        """Note that everything up to `known_to` was asked for, with the other columns of the state."""
        statement = insert(SimEventState).values(iccid=iccid, known_to=known_to, **values)
        newest = func.greatest(SimEventState.known_to, statement.excluded.known_to)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["iccid"], set_={**values, "known_to": newest})
        )

    async def to_sync(self, *, before: datetime, after: str, limit: int) -> Sequence[str]:
        """Claimed SIMs behind the ICCID `after` that were not asked about since `before`."""
        statement = self._due(before).where(Sim.iccid > after).order_by(Sim.iccid).limit(limit)
        return await self._all(statement)

    async def left_to_sync(self, *, before: datetime) -> int:
        return await self._count(self._due(before))

    def _due(self, before: datetime) -> Select[str]:
        return (
            select(Sim.iccid)
            .outerjoin(SimEventState, SimEventState.iccid == Sim.iccid)
            .where(
                self._scope.where(Sim.organization_id),
                *IN_SERVICE,
                or_(SimEventState.synced_at.is_(None), SimEventState.synced_at < before),
            )
        )

    def _of(self, iccid: str) -> Select[SimEvent]:
        return self._owned(SimEvent).where(SimEvent.iccid == iccid)

"""Queries on `sim_events` and `sim_event_states`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
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
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from fleet_kit.database import UtcDateTime
from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.claims.models import SimRelease
from sim_service.events.models import SimEvent, SimEventState
from sim_service.sims.models import IN_SERVICE, Sim

_TEXTS = (
    "id", "iccid", "type", "severity", "description", "cause", "operator", "country", "imsi", "imei",
)  # fmt: skip
_COLUMNS: dict[str, TypeEngine[Any]] = dict.fromkeys(_TEXTS, Text()) | {
    "at": UtcDateTime,
    "type_id": Integer(),
    "detail": JSONB(),
}
WRITTEN = tuple(_COLUMNS)
_NEWEST = Order("-at", SimEvent.at, SimEvent.id)
_TABLE = SimEvent.metadata.tables[SimEvent.__tablename__]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What to list; None: everything. `first` included, `before` not."""

    types: Collection[str] | None = None
    severities: Collection[str] | None = None
    first: datetime | None = None
    before: datetime | None = None


class EventRepository:
    """Events of one organisation's SIMs, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

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

    async def page(self, iccid: str, wanted: EventFilter, paging: PageParams) -> Found[SimEvent]:
        """A page of a SIM's events that pass the filter, newest first."""
        statement = self._of(iccid)
        if wanted.types:
            statement = statement.where(SimEvent.type.in_(wanted.types))
        if wanted.severities:
            statement = statement.where(SimEvent.severity.in_(wanted.severities))
        if wanted.first is not None:
            statement = statement.where(SimEvent.at >= wanted.first)
        if wanted.before is not None:
            statement = statement.where(SimEvent.at < wanted.before)
        return await find_page(self._session, statement, _NEWEST, paging)

    async def newest(self, iccid: str, limit: int) -> Sequence[SimEvent]:
        """The newest events of a SIM, the last first."""
        statement = self._of(iccid).order_by(SimEvent.at.desc(), SimEvent.id.desc()).limit(limit)
        return (await self._session.execute(statement)).scalars().all()

    async def state(self, iccid: str) -> SimEventState | None:
        """How far a SIM's events were asked for."""
        statement = select(SimEventState).where(
            SimEventState.iccid == iccid, self._scope.where(SimEventState.organization_id)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

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
        return (await self._session.execute(statement)).scalars().all()

    async def left_to_sync(self, *, before: datetime) -> int:
        """How many claimed SIMs were not asked about since `before`."""
        counted = select(func.count()).select_from(self._due(before).subquery())
        return (await self._session.execute(counted)).scalar_one()

    async def purge(self, before: datetime, limit: int) -> int:
        """Forget events older than `before`, at most `limit` of them; how many went."""
        old = (
            select(SimEvent.iccid, SimEvent.id)
            .where(SimEvent.at < before, self._scope.where(SimEvent.organization_id))
            .order_by(SimEvent.at)
            .limit(limit)
        )
        statement = delete(SimEvent).where(tuple_(SimEvent.iccid, SimEvent.id).in_(old))
        return len((await self._session.execute(statement.returning(SimEvent.id))).all())

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
        return select(SimEvent).where(SimEvent.iccid == iccid, self._scope.where(SimEvent.organization_id))

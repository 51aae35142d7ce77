"""Queries of imports: the file is copied into a table of the transaction's own; all else is done in sets."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Row,
    Subquery,
    and_,
    any_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    true,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable

from fleet_kit.scope import Scope
from sim_service.billing.orders.queries import ordered_iccids
from sim_service.inventory.devices.models import DeviceFacts
from sim_service.inventory.sims.models import Sim
from sim_service.platform.cache.invalidation import invalidate
from sim_service.platform.cache.store import EVERYTHING
from sim_service.provisioning.imports.schemas import Claims
from sim_service.provisioning.imports.staging import run_on_many, same_sim, staged

_BATCH = 500
_WRITE_BATCH = 20_000
"""So many rows one statement writes: it stays within the time that a statement may take."""

_PUBLISHED_COLUMNS: tuple[Any, ...] = (
    Sim.iccid,
    Sim.organization_id,
    Sim.imsi,
    Sim.msisdn,
    Sim.label,
    Sim.status,
    Sim.device_id,
)


class ImportRepository:
    """What an import may see and touch: the SIMs of one organisation, and unclaimed ones that it may claim.

    `scope` names the organisation.
    """

    def __init__(self, session: AsyncSession, scope: Scope, *, claims: Claims) -> None:
        assert scope.organization_id is not None, "an import is for one organisation"
        self._session, self._scope, self._claims = session, scope, claims
        self._owner: UUID = scope.organization_id

    async def stage(self, rows: Path) -> None:
        connection = await self._session.connection()
        await connection.execute(CreateTable(staged))
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        columns = [column.name for column in staged.columns if not column.server_default]
        await raw.copy_to_table(staged.name, source=str(rows), columns=columns, format="csv")
        await connection.execute(text(f"ANALYZE {staged.name}"))

    async def lock(self) -> None:
        """Lock what will be touched: devices before SIMs, each in the one order that everybody uses."""
        named = select(staged.c.device_id).where(staged.c.device_id.is_not(None))
        present = select(Sim.device_id).join(staged, same_sim()).where(Sim.device_id.is_not(None))
        naming = select(DeviceFacts.id).join(staged, DeviceFacts.iccid == staged.c.iccid)
        devices = union(named, present, naming).subquery()
        await self._session.execute(
            select(DeviceFacts.id)
            .where(self._scope.where(DeviceFacts.organization_id), DeviceFacts.id.in_(select(devices)))
            .order_by(DeviceFacts.id)
            .with_for_update()
        )
        sims = select(Sim.iccid).join(staged, same_sim()).where(self._reachable())
        await self._session.execute(sims.order_by(Sim.iccid).with_for_update(of=Sim))

    async def unknown(self) -> Sequence[Row[tuple[int]]]:
        """Rows whose SIM does not exist or is somebody else's."""
        known = exists().where(same_sim(), self._reachable())
        return (await self._session.execute(select(staged.c.row).where(~known))).all()

    async def unknown_devices(self) -> Sequence[Row[tuple[int]]]:
        """Rows whose device does not exist or is somebody else's."""
        known = exists().where(
            DeviceFacts.id == staged.c.device_id,
            self._scope.where(DeviceFacts.organization_id),
            DeviceFacts.deleted_at.is_(None),
        )
        statement = select(staged.c.row).where(staged.c.device_id.is_not(None), ~known)
        return (await self._session.execute(statement)).all()

    async def taken_devices(self) -> Sequence[Row[tuple[int, str]]]:
        """Rows whose device has another SIM, with that SIM, also where an earlier row gives it to another."""
        statement = (
            select(staged.c.row, Sim.iccid)
            .join(Sim, and_(Sim.device_id == staged.c.device_id, Sim.iccid != staged.c.iccid))
            .where(self._scope.where(Sim.organization_id))
        )
        first, holder = _first_rows_by_device(), staged.alias()
        shared = (
            select(staged.c.row, holder.c.iccid)
            .join(first, and_(first.c.device_id == staged.c.device_id, first.c.row < staged.c.row))
            .join(holder, holder.c.row == first.c.row)
        )
        return (await self._session.execute(statement.union_all(shared))).all()

    async def exclude(self, rows: Sequence[int]) -> None:
        given = literal(list(rows), ARRAY(Integer))
        await run_on_many(self._session, delete(staged).where(staged.c.row == any_(given)))

    async def mark(self) -> None:
        """Note which rows claim their SIM and which move it to another device."""
        to_claim = and_(same_sim(), Sim.organization_id.is_(None))
        await run_on_many(self._session, update(staged).values(claimed=True).where(to_claim))
        moves = and_(
            same_sim(), staged.c.device_id.is_not(None), Sim.device_id.is_distinct_from(staged.c.device_id)
        )
        await run_on_many(self._session, update(staged).values(moved=True).where(moves))
        await self._mark_named()

    async def changed(self) -> int:
        statement = select(func.count()).select_from(staged).join(Sim, same_sim())
        return (await self._session.scalar(statement.where(self._differs()))) or 0

    async def claimed(self) -> Sequence[str]:
        statement = select(staged.c.iccid).where(staged.c.claimed)
        return (await self._session.execute(statement)).scalars().all()

    async def moved(self) -> int:
        return (await self._session.scalar(select(func.count()).where(staged.c.moved))) or 0

    async def write(self) -> None:
        """Claim, link and describe the SIMs, and set the SIM that their devices report."""
        invalidate(self._session, EVERYTHING)
        left = select(Sim.device_id).join(staged, same_sim()).where(staged.c.moved)
        devices = update(DeviceFacts).where(self._scope.where(DeviceFacts.organization_id))
        await run_on_many(self._session, devices.values(iccid=None).where(DeviceFacts.id.in_(left)))
        change = (
            update(Sim)
            .values(
                {
                    Sim.organization_id: self._owner,
                    Sim.device_id: func.coalesce(staged.c.device_id, Sim.device_id),
                    Sim.tags: func.coalesce(staged.c.tags, Sim.tags),
                    Sim.details: func.coalesce(staged.c.metadata, Sim.details),
                    Sim.updated_at: func.now(),
                }
            )
            .where(same_sim(), self._reachable(), self._differs())
        )
        last = (await self._session.scalar(select(func.max(staged.c.row)))) or 0
        for first in range(0, last + 1, _WRITE_BATCH):
            await run_on_many(
                self._session, change.where(staged.c.row.between(first, first + _WRITE_BATCH - 1))
            )
        now_in = devices.where(DeviceFacts.id == staged.c.device_id, staged.c.moved)
        await run_on_many(self._session, now_in.values(iccid=staged.c.iccid))

    async def changed_sims(self) -> AsyncIterator[Sequence[Row[Any]]]:
        """SIMs whose change has to be published, in batches."""
        after = ""
        while True:
            statement = (
                select(*_PUBLISHED_COLUMNS)  # as columns: entities of so many would cost more than all else
                .join(staged, same_sim())
                .where(self._scope.where(Sim.organization_id), or_(staged.c.claimed, staged.c.moved))
                .where(Sim.iccid > after)
                .order_by(Sim.iccid)
                .limit(_BATCH)
            )
            batch: Sequence[Row[Any]] = (await self._session.execute(statement)).all()
            if not batch:
                return
            yield batch
            after = batch[-1].iccid

    async def _mark_named(self) -> None:
        """A SIM that is claimed and named by a free device of its new owner goes into it."""
        holds = exists().where(Sim.device_id == DeviceFacts.id)
        wanted = staged.alias()
        asked_for = exists().where(wanted.c.device_id == DeviceFacts.id)
        devices = (
            select(DeviceFacts.iccid, DeviceFacts.id)
            .ext(distinct_on(DeviceFacts.iccid))
            .join(staged, DeviceFacts.iccid == staged.c.iccid)
            .where(
                self._scope.where(DeviceFacts.organization_id),
                DeviceFacts.deleted_at.is_(None),
                ~holds,
                ~asked_for,
            )
            .order_by(DeviceFacts.iccid, DeviceFacts.id)
            .subquery()
        )
        await run_on_many(
            self._session,
            update(staged)
            .values(device_id=devices.c.id, moved=True)
            .where(staged.c.iccid == devices.c.iccid, staged.c.claimed, staged.c.device_id.is_(None)),
        )

    def _reachable(self) -> ColumnElement[bool]:
        mine = self._scope.where(Sim.organization_id)
        if self._claims == Claims.NONE:
            return mine
        may = true() if self._claims == Claims.ANY else Sim.iccid.in_(ordered_iccids(self._owner))
        return or_(mine, and_(Sim.organization_id.is_(None), may))

    def _differs(self) -> ColumnElement[bool]:
        return or_(
            staged.c.claimed,
            staged.c.moved,
            func.coalesce(staged.c.tags, Sim.tags) != Sim.tags,
            func.coalesce(staged.c.metadata, Sim.details) != Sim.details,
        )


def _first_rows_by_device() -> Subquery:
    """The first row of each device; joining all pairs would be quadratic for a file with one device."""
    return (
        select(staged.c.device_id, func.min(staged.c.row).label("row"))
        .where(staged.c.device_id.is_not(None))
        .group_by(staged.c.device_id)
        .subquery()
    )

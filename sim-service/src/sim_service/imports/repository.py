"""Queries of imports: the file is copied into a table of the transaction's own; all else is done in sets."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Executable,
    Integer,
    Row,
    and_,
    any_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable

from fleet_kit.scope import Scope
from sim_service.cache.changes import everything_changed
from sim_service.devices.models import DeviceFacts
from sim_service.imports.staging import staged
from sim_service.lifecycle.models import OPEN_STATES, ActionKind, ActionState, SimAction
from sim_service.sims.models import Sim

_BATCH = 500
_AT_ONCE = 20_000
"""So many rows one statement writes: it stays within the time that a statement may take."""

_TOLD: tuple[Any, ...] = (
    Sim.iccid,
    Sim.organization_id,
    Sim.imsi,
    Sim.msisdn,
    Sim.label,
    Sim.status,
    Sim.device_id,
)


class ImportRepository:
    """What an import may see and touch: the SIMs of one organisation, and unclaimed ones if it claims.

    `scope` names the organisation.
    """

    def __init__(self, session: AsyncSession, scope: Scope, *, claims: bool) -> None:
        assert scope.organization_id is not None, "an import is for one organisation"
        self._session, self._scope, self._claims = session, scope, claims
        self._owner: UUID = scope.organization_id

    async def stage(self, rows: Path) -> None:
        """Copy the rows that `imports.reader` wrote."""
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
        present = select(Sim.device_id).join(staged, self._same()).where(Sim.device_id.is_not(None))
        naming = select(DeviceFacts.id).join(staged, DeviceFacts.iccid == staged.c.iccid)
        devices = union(named, present, naming).subquery()
        await self._session.execute(
            select(DeviceFacts.id)
            .where(self._scope.where(DeviceFacts.organization_id), DeviceFacts.id.in_(select(devices)))
            .order_by(DeviceFacts.id)
            .with_for_update()
        )
        sims = select(Sim.iccid).join(staged, self._same()).where(self._reachable())
        await self._session.execute(sims.order_by(Sim.iccid).with_for_update(of=Sim))

    async def unknown(self) -> Sequence[Row[tuple[int]]]:
        """Rows whose SIM does not exist or is somebody else's."""
        known = exists().where(self._same(), self._reachable())
        return (await self._session.execute(select(staged.c.row).where(~known))).all()

    async def strange_devices(self) -> Sequence[Row[tuple[int]]]:
        """Rows whose device does not exist or is somebody else's."""
        known = exists().where(
            DeviceFacts.id == staged.c.device_id,
            self._scope.where(DeviceFacts.organization_id),
            DeviceFacts.deleted_at.is_(None),
        )
        statement = select(staged.c.row).where(staged.c.device_id.is_not(None), ~known)
        return (await self._session.execute(statement)).all()

    async def taken_devices(self) -> Sequence[Row[tuple[int, str]]]:
        """Rows whose device has another SIM, with that SIM; also those that share one in the file."""
        statement = (
            select(staged.c.row, Sim.iccid)
            .join(Sim, and_(Sim.device_id == staged.c.device_id, Sim.iccid != staged.c.iccid))
            .where(self._scope.where(Sim.organization_id))
        )
        other = staged.alias()
        shared = select(staged.c.row, other.c.iccid).join(
            other, and_(other.c.device_id == staged.c.device_id, other.c.row < staged.c.row)
        )
        return (await self._session.execute(statement.union_all(shared))).all()

    async def drop(self, rows: Sequence[int]) -> None:
        """Leave rows out."""
        given = literal(list(rows), ARRAY(Integer))
        await self._run(delete(staged).where(staged.c.row == any_(given)))

    async def mark(self) -> None:
        """Note which rows claim their SIM and which move it to another device."""
        to_claim = and_(self._same(), Sim.organization_id.is_(None))
        await self._run(update(staged).values(claimed=True).where(to_claim))
        moves = and_(
            self._same(),
            staged.c.device_id.is_not(None),
            Sim.device_id.is_distinct_from(staged.c.device_id),
        )
        await self._run(update(staged).values(moved=True).where(moves))
        await self._mark_named()

    async def changed(self) -> int:
        """How many SIMs are to be written."""
        statement = select(func.count()).select_from(staged).join(Sim, self._same())
        return (await self._session.scalar(statement.where(self._differs()))) or 0

    async def claimed(self) -> Sequence[str]:
        """ICCIDs that are claimed."""
        statement = select(staged.c.iccid).where(staged.c.claimed)
        return (await self._session.execute(statement)).scalars().all()

    async def moved(self) -> int:
        """How many SIMs get another device."""
        return (await self._session.scalar(select(func.count()).where(staged.c.moved))) or 0

    async def write(self) -> None:
        """Claim, link and describe the SIMs, and let devices' own word on their SIM agree."""
        everything_changed(self._session)
        left = select(Sim.device_id).join(staged, self._same()).where(staged.c.moved)
        devices = update(DeviceFacts).where(self._scope.where(DeviceFacts.organization_id))
        await self._run(devices.values(iccid=None).where(DeviceFacts.id.in_(left)))
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
            .where(self._same(), self._reachable(), self._differs())
        )
        last = (await self._session.scalar(select(func.max(staged.c.row)))) or 0
        for first in range(0, last + 1, _AT_ONCE):
            await self._run(change.where(staged.c.row.between(first, first + _AT_ONCE - 1)))
        now_in = devices.where(DeviceFacts.id == staged.c.device_id, staged.c.moved)
        await self._run(now_in.values(iccid=staged.c.iccid))

    async def labels(self) -> int:
        """How many rows ask for a label that neither is there nor is on its way."""
        statement = select(func.count()).select_from(staged).join(Sim, self._same())
        return (await self._session.scalar(statement.where(self._label_differs()))) or 0

    async def ask_for_labels(self, by: UUID) -> None:
        """Note an action for each label that is to change; an older wish gives way."""
        wishes = select(staged.c.iccid).join(Sim, self._same()).where(self._label_differs())
        await self._run(update(staged).values(relabelled=True).where(staged.c.iccid.in_(wishes)))
        await self._run(
            update(SimAction)
            .values(state=ActionState.SUPERSEDED, finished_at=func.now())
            .where(self._open_label(), SimAction.iccid == staged.c.iccid, staged.c.relabelled)
        )
        columns: dict[str, ColumnElement[Any]] = {
            "id": staged.c.action_id,
            "iccid": staged.c.iccid,
            "organization_id": literal(self._owner),
            "what": literal(ActionKind.LABEL.value),
            "wanted": func.to_jsonb(staged.c.label),
            "state": literal(ActionState.PENDING.value),
            "priority": literal(1),
            "attempts": literal(0),
            "requested_by": literal(by),
        }
        rows = select(*columns.values()).where(staged.c.relabelled)
        await self._run(insert(SimAction).from_select(list(columns), rows))

    async def told(self) -> AsyncIterator[Sequence[Row[Any]]]:
        """SIMs of which others have to hear, in batches."""
        after = ""
        while True:
            statement = (
                select(*_TOLD)  # as columns: entities of so many would cost more than all else
                .join(staged, self._same())
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
        await self._run(
            update(staged)
            .values(device_id=devices.c.id, moved=True)
            .where(staged.c.iccid == devices.c.iccid, staged.c.claimed, staged.c.device_id.is_(None))
        )

    def _same(self) -> ColumnElement[bool]:
        return Sim.iccid == staged.c.iccid

    def _reachable(self) -> ColumnElement[bool]:
        mine = self._scope.where(Sim.organization_id)
        return or_(mine, Sim.organization_id.is_(None)) if self._claims else mine

    def _differs(self) -> ColumnElement[bool]:
        return or_(
            staged.c.claimed,
            staged.c.moved,
            func.coalesce(staged.c.tags, Sim.tags) != Sim.tags,
            func.coalesce(staged.c.metadata, Sim.details) != Sim.details,
        )

    def _open_label(self) -> ColumnElement[bool]:
        return and_(
            self._scope.where(SimAction.organization_id),
            SimAction.what == ActionKind.LABEL,
            SimAction.state.in_(OPEN_STATES),
        )

    def _label_differs(self) -> ColumnElement[bool]:
        """An open wish counts more than what is there: it may have reached the carrier already."""
        wish = select(SimAction.wanted.op("#>>")(text("'{}'")))
        wish = wish.where(self._open_label(), SimAction.iccid == staged.c.iccid)
        present = func.coalesce(wish.correlate(staged).scalar_subquery(), Sim.label)
        return and_(staged.c.label.is_not(None), staged.c.label != present)

    async def _run(self, statement: Executable) -> None:
        """A change of many rows; no entity of the session is looked at before its end."""
        await self._session.execute(statement.execution_options(synchronize_session=False))

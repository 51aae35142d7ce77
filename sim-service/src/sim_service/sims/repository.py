"""Queries on `sims`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.iccid import LENGTH, luhn_digit
from sim_service.sims.models import Sim

_IMEI, _IMEI_WITHOUT_CHECK = 15, 14


@dataclass(frozen=True, slots=True)
class SimFilter:
    """Conditions that must all hold; None does not restrict."""

    search: str | None = None
    status: str | None = None
    linked: bool | None = None
    claimed: bool | None = None
    missing: bool | None = None
    quota_state: str | None = None
    device_id: UUID | None = None
    label: str | None = None
    tags: tuple[str, ...] = ()
    desired_status: str | None = None
    lifecycle: str | None = None


class SimRepository:
    """SIMs of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, iccid: str, *, for_update: bool = False) -> Sim | None:
        """One SIM; `for_update` locks its row until the commit."""
        statement = self._mine().where(Sim.iccid == iccid)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def of_device(self, device_id: UUID) -> Sim | None:
        """The SIM in a device."""
        statement = self._mine().where(Sim.device_id == device_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def some(self, iccids: Collection[str]) -> Sequence[Sim]:
        """Those of the SIMs that exist, in the order of their ICCIDs."""
        statement = self._mine().where(Sim.iccid.in_(iccids)).order_by(Sim.iccid)
        return (await self._session.execute(statement)).scalars().all()

    async def locked(self, iccids: Collection[str]) -> Sequence[Sim]:
        """Those of the SIMs that exist, locked in the one order that everybody uses."""
        statement = self._mine().where(Sim.iccid.in_(iccids)).order_by(Sim.iccid).with_for_update()
        statement = statement.execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalars().all()

    async def locked_if_free(self, iccids: Collection[str]) -> Sequence[Sim]:
        """Those of the SIMs that nobody else has locked, locked until the commit."""
        statement = self._mine().where(Sim.iccid.in_(iccids)).order_by(Sim.iccid)
        statement = statement.with_for_update(skip_locked=True).execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalars().all()

    async def drifted(self, limit: int) -> Sequence[str]:
        """ICCIDs in a state that nobody asked for and that is to be looked at now."""
        statement = (
            select(Sim.iccid)
            .where(self._scope.where(Sim.organization_id), Sim.drift_due_at <= func.now())
            .order_by(Sim.drift_due_at)
            .limit(limit)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def page(self, wanted: SimFilter, order: Order, paging: PageParams) -> Found[Sim]:
        """A page of the SIMs that pass the filter, in this order."""
        return await find_page(self._session, self._filtered(self._mine(), wanted), order, paging)

    async def iccids(self, wanted: SimFilter, limit: int) -> Sequence[str]:
        """ICCIDs of the SIMs that pass the filter, in order."""
        statement = select(Sim.iccid).where(self._scope.where(Sim.organization_id))
        statement = self._filtered(statement, wanted).order_by(Sim.iccid).limit(limit)
        return (await self._session.execute(statement)).scalars().all()

    async def columns(
        self, names: Sequence[str], wanted: SimFilter, *, after: str, limit: int
    ) -> Sequence[RowMapping]:
        """Columns of the SIMs behind an ICCID, in the order of their ICCIDs."""
        table = Sim.metadata.tables[Sim.__tablename__]
        statement = select(*(table.c[name] for name in names)).where(
            self._scope.where(Sim.organization_id), Sim.iccid > after
        )
        statement = self._filtered(statement, wanted).order_by(Sim.iccid).limit(limit)
        return (await self._session.execute(statement)).mappings().all()

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
        statement = (
            select(Sim.iccid)
            .where(
                self._scope.where(Sim.organization_id),
                Sim.carrier == carrier,
                Sim.missing_since.is_(None),
                Sim.iccid > after,
                Sim.iccid.not_in(listed),
            )
            .order_by(Sim.iccid)
            .limit(limit)
        )
        return (await self._session.execute(statement)).scalars().all()

    def _mine(self) -> Select[Sim]:
        return select(Sim).where(self._scope.where(Sim.organization_id))

    def _filtered(self, statement: Select[Any], wanted: SimFilter) -> Select[Any]:
        return statement.where(*_conditions(wanted))


def _conditions(wanted: SimFilter) -> list[ColumnElement[bool]]:
    exactly = (
        (Sim.status, wanted.status),
        (Sim.device_id, wanted.device_id),
        (Sim.label, wanted.label),
        (Sim.desired_status, wanted.desired_status),
        (Sim.lifecycle, wanted.lifecycle),
    )
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in exactly if value is not None
    ]
    if wanted.tags:
        conditions.append(Sim.tags.contains(list(wanted.tags)))
    if wanted.quota_state is not None:
        state = wanted.quota_state
        conditions.append(or_(Sim.data_quota_state == state, Sim.sms_quota_state == state))
    for column, answer in (
        (Sim.device_id, wanted.linked),
        (Sim.organization_id, wanted.claimed),
        (Sim.missing_since, wanted.missing),
    ):
        if answer is not None:
            conditions.append(column.is_not(None) if answer else column.is_(None))
    if wanted.search:
        conditions.append(_search(wanted.search.lower()))
    return conditions


def _search(term: str) -> ColumnElement[bool]:
    """Anywhere in the searched columns; ICCIDs also with their check digit, IMEIs also with theirs.

    Carriers report the IMEISV (14 digits and the software version), devices show 14 and a check digit.
    """
    found = Sim.search_text.contains(term, autoescape=True)
    if not (term.isascii() and term.isdigit()) or luhn_digit(term[:-1]) != int(term[-1]):
        return found
    if len(term) == LENGTH + 1:
        return or_(found, Sim.iccid == term[:-1])
    if len(term) == _IMEI:
        body = term[:_IMEI_WITHOUT_CHECK]
        return or_(found, and_(Sim.search_text.contains(body), Sim.imei.startswith(body)))
    return found

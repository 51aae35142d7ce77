"""Queries on `sms_messages`, `sms_parts` and `sms_reports`."""

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.sms.models import SmsMessage, SmsPart, SmsReport, State

_LOCKS_OF_SIMS = 0x534D53
"""First half of the advisory locks that order what comes in for one SIM."""


@dataclass(frozen=True, slots=True)
class SmsFilter:
    """Conditions that must all hold; None does not restrict. `first` and `last`: moments, both included."""

    iccid: str | None = None
    direction: str | None = None
    state: str | None = None
    first: datetime | None = None
    last: datetime | None = None
    without: Collection[str] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter in SQL."""
        equal = (
            (SmsMessage.iccid, self.iccid),
            (SmsMessage.direction, self.direction),
            (SmsMessage.state, self.state),
        )
        conditions: list[ColumnElement[bool]] = [column == value for column, value in equal if value]
        if self.first is not None:
            conditions.append(SmsMessage.at >= self.first)
        if self.last is not None:
            conditions.append(SmsMessage.at <= self.last)
        if self.without:
            conditions.append(SmsMessage.state.not_in(self.without))
        return conditions


class SmsRepository:
    """Messages of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    def add(self, message: SmsMessage) -> None:
        """A new message with its parts."""
        self._session.add(message)

    async def get(self, message_id: UUID, *, for_update: bool = False) -> SmsMessage | None:
        """One message with its parts; `for_update` locks it until the commit."""
        statement = self._mine().where(SmsMessage.id == message_id).options(selectinload(SmsMessage.parts))
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def some(self, ids: Collection[UUID]) -> Sequence[SmsMessage]:
        """Those of the messages that exist, without their parts."""
        return (await self._session.execute(self._mine().where(SmsMessage.id.in_(ids)))).scalars().all()

    async def page(self, wanted: SmsFilter, sort: str, paging: PageParams) -> Found[SmsMessage]:
        """A page of messages with their parts in the order of time (`at`), or the newest first (`-at`)."""
        statement = self._mine().where(*wanted.conditions()).options(selectinload(SmsMessage.parts))
        order = Order(sort, SmsMessage.at, SmsMessage.id)
        return await find_page(self._session, statement, order, paging)

    async def last_reference(self, iccid: str) -> int | None:
        """The reference of the newest long message to a SIM."""
        statement = (
            select(SmsMessage.reference)
            .where(SmsMessage.iccid == iccid, SmsMessage.direction == "mt", SmsMessage.reference.is_not(None))
            .order_by(SmsMessage.at.desc(), SmsMessage.id.desc())
            .limit(1)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def claim_due(
        self, direction: str, states: Collection[State], *, until: datetime, limit: int
    ) -> Sequence[SmsMessage]:
        """Messages without their parts that are due for a look, the longest waiting first.

        Nobody else gets them before `until`, so that several workers share the work.
        """
        due = (
            select(SmsMessage.id)
            .where(
                SmsMessage.look_at <= func.now(),
                SmsMessage.state.in_(states),
                SmsMessage.direction == direction,
            )
            .order_by(SmsMessage.look_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claimed = update(SmsMessage).where(SmsMessage.id.in_(due)).values(look_at=until)
        return (await self._session.execute(claimed.returning(SmsMessage))).scalars().all()

    async def open_of_sim(self, iccid: str) -> Sequence[SmsMessage]:
        """Messages to a SIM that the carrier may have, oldest first, locked with their parts."""
        statement = (
            self._mine()
            .where(
                SmsMessage.iccid == iccid,
                SmsMessage.look_at.is_not(None),
                SmsMessage.state.in_((State.SENT, State.UNKNOWN)),
            )
            .order_by(SmsMessage.at, SmsMessage.id)
            .options(selectinload(SmsMessage.parts))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def open_incoming(self, iccid: str, like: SmsMessage, since: datetime) -> SmsMessage | None:
        """The long message from a SIM that still lacks parts and that a part such as `like` belongs to."""
        statement = (
            select(SmsMessage)
            .where(
                SmsMessage.iccid == iccid,
                SmsMessage.at >= since,
                SmsMessage.direction == "mo",
                SmsMessage.state == State.PENDING,
                SmsMessage.reference == like.reference,
                SmsMessage.parts_total == like.parts_total,
                or_(SmsMessage.source == like.source, SmsMessage.source.is_(None)),
            )
            .order_by(SmsMessage.at.desc())
            .limit(1)
            .options(selectinload(SmsMessage.parts))
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def message_with(self, iccid: str, carrier_id: str) -> SmsMessage | None:
        """The message that has the carrier's message as a part, locked, with its parts."""
        part = select(SmsPart.message_id).where(SmsPart.iccid == iccid, SmsPart.carrier_id == carrier_id)
        found = (await self._session.execute(part)).scalar_one_or_none()
        return None if found is None else await self.get(found, for_update=True)

    async def assigned(self, iccid: str, carrier_ids: Collection[str]) -> set[str]:
        """Those of the carrier's messages that are parts of ours already."""
        statement = select(SmsPart.carrier_id).where(
            SmsPart.iccid == iccid, SmsPart.carrier_id.in_(carrier_ids)
        )
        return {found for found in (await self._session.execute(statement)).scalars() if found}

    async def one_at_a_time(self, iccid: str) -> None:
        """Until the commit nobody else takes in anything for this SIM, which we may not know."""
        await self._session.execute(
            select(func.pg_advisory_xact_lock(_LOCKS_OF_SIMS, zlib.crc32(iccid.encode()) - 2**31))
        )

    async def keep_report(self, report: dict[str, Any]) -> None:
        """Keep a report until its message is known; the newest counts."""
        statement = insert(SmsReport).values(**report)
        changed = {name: statement.excluded[name] for name in ("state", "delivered_at")}
        key = [SmsReport.iccid, SmsReport.carrier_id]
        await self._session.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))

    async def take_report(self, iccid: str, carrier_id: str) -> SmsReport | None:
        """A report that came before its message was known; it is taken once."""
        statement = delete(SmsReport).where(SmsReport.iccid == iccid, SmsReport.carrier_id == carrier_id)
        return (await self._session.execute(statement.returning(SmsReport))).scalar_one_or_none()

    async def drop_reports(self, before: datetime) -> None:
        """Forget reports that no message was found for."""
        await self._session.execute(delete(SmsReport).where(SmsReport.received_at < before))

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete at most so many messages that are over, of before a moment, with their parts; how many."""
        old = self._mine().with_only_columns(SmsMessage.id)
        old = (
            old.where(SmsMessage.at < before, SmsMessage.final_at.is_not(None))
            .order_by(SmsMessage.at)
            .limit(limit)
        )
        statement = delete(SmsMessage).where(SmsMessage.id.in_(old)).returning(SmsMessage.id)
        return len((await self._session.execute(statement)).all())

    def _mine(self) -> Select[SmsMessage]:
        return select(SmsMessage).where(self._scope.where(SmsMessage.organization_id))

"""Queries on `sms_messages`, `sms_parts` and `sms_reports`."""

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import selectinload

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.carrier.models import SmsDirection
from sim_service.messages.sms.models import MAX_CALL_DURATION, SmsMessage, SmsPart, SmsReport, State
from sim_service.messages.sms.queue import TO_FOLLOW, TO_SEND
from sim_service.platform.scoped_repository import ScopedRepository

_LOCKS_OF_SIMS = 0x534D53
"""First half of the advisory lock's key; the second is the SIM."""


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


@dataclass(frozen=True, slots=True)
class SimToPoll:
    """A SIM with messages to ask the carrier about; `since`: when the oldest of these was written."""

    iccid: str
    organization_id: UUID | None
    since: datetime


class SmsRepository(ScopedRepository):
    async def get(self, message_id: UUID, *, for_update: bool = False) -> SmsMessage | None:
        """One message with its parts; `for_update` locks it until the commit."""
        statement = (
            self._owned(SmsMessage).where(SmsMessage.id == message_id).options(selectinload(SmsMessage.parts))
        )
        return await self._one(statement, for_update=for_update)

    async def some(self, ids: Collection[UUID]) -> Sequence[SmsMessage]:
        return await self._all(self._owned(SmsMessage).where(SmsMessage.id.in_(ids)))

    async def page(self, wanted: SmsFilter, sort: str, paging: PageParams) -> PageResult[SmsMessage]:
        """A page of messages with their parts in the order of time (`at`), or the newest first (`-at`)."""
        statement = (
            self._owned(SmsMessage).where(*wanted.conditions()).options(selectinload(SmsMessage.parts))
        )
        order = SortOrder(sort, SmsMessage.at, SmsMessage.id)
        return await find_page(self._session, statement, order, paging)

    async def last_reference(self, iccid: str) -> int | None:
        statement = (
            select(SmsMessage.reference)
            .where(SmsMessage.iccid == iccid, SmsMessage.direction == "mt", SmsMessage.reference.is_not(None))
            .order_by(SmsMessage.at.desc(), SmsMessage.id.desc())
            .limit(1)
        )
        return await self._one(statement)

    async def claim_to_send(self, limit: int, busy: Collection[UUID]) -> Sequence[SmsMessage]:
        """Messages to send now, of organisations in turn but for the busy ones; see `_reserve`."""
        return await self._reserve(await TO_SEND.lock(self._session, limit, busy=busy))

    async def claim_to_follow(self, limit: int, busy: Collection[UUID]) -> Sequence[SimToPoll]:
        """SIMs to ask the carrier about now, of organisations in turn but for the busy ones.

        All messages of such a SIM that are due are reserved: one answer of the carrier shows them all.
        """
        first = await TO_FOLLOW.lock(self._session, limit, busy=busy)
        sims = select(SmsMessage.iccid).where(SmsMessage.id.in_(first))
        others = (
            select(SmsMessage.id)
            .where(SmsMessage.iccid.in_(sims), *_under_way(), SmsMessage.due_at <= func.now())
            .with_for_update(skip_locked=True)
        )
        found: dict[str, SimToPoll] = {}
        for message in await self._reserve(await self._all(others)):
            known = found.get(message.iccid)
            if known is None or message.at < known.since:
                found[message.iccid] = SimToPoll(message.iccid, message.organization_id, message.at)
        return list(found.values())

    async def claim_incomplete(self, limit: int) -> Sequence[SmsMessage]:
        """Messages from SIMs whose missing parts will not come any more, the longest waiting first."""
        due = (
            select(SmsMessage.id)
            .where(
                SmsMessage.due_at <= func.now(),
                SmsMessage.state == State.PENDING,
                SmsMessage.direction == SmsDirection.MO,
            )
            .order_by(SmsMessage.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return await self._reserve(await self._all(due))

    async def _reserve(self, ids: Sequence[UUID]) -> Sequence[SmsMessage]:
        """Locked messages, without parts, now due only after MAX_CALL_DURATION."""
        claimed = update(SmsMessage).where(SmsMessage.id.in_(ids))
        claimed = claimed.values(due_at=func.now() + MAX_CALL_DURATION)
        return (await self._session.scalars(claimed.returning(SmsMessage))).all()

    async def open_of_sim(self, iccid: str) -> Sequence[SmsMessage]:
        """Messages to a SIM that the carrier may have, oldest first, locked with their parts."""
        statement = (
            self._owned(SmsMessage)
            .where(SmsMessage.iccid == iccid, *_under_way())
            .order_by(SmsMessage.at, SmsMessage.id)
            .options(selectinload(SmsMessage.parts))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return await self._all(statement)

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
        return await self._one(statement)

    async def message_with(self, iccid: str, carrier_id: str) -> SmsMessage | None:
        """The message that has the carrier's message as a part, locked, with its parts."""
        part = select(SmsPart.message_id).where(SmsPart.iccid == iccid, SmsPart.carrier_id == carrier_id)
        found = await self._one(part)
        return None if found is None else await self.get(found, for_update=True)

    async def assigned(self, iccid: str, carrier_ids: Collection[str]) -> set[str]:
        """Those of the carrier's messages that are parts of ours already."""
        statement = select(SmsPart.carrier_id).where(
            SmsPart.iccid == iccid, SmsPart.carrier_id.in_(carrier_ids)
        )
        return {found for found in await self._all(statement) if found}

    async def lock_sim(self, iccid: str) -> None:
        """Keep others from storing for a SIM, even an unknown one, until the commit; lock messages after."""
        await self._session.execute(
            select(func.pg_advisory_xact_lock(_LOCKS_OF_SIMS, zlib.crc32(iccid.encode()) - 2**31))
        )

    async def store_report(self, **report: Any) -> None:
        """Store a report until its message is known; the newest counts."""
        statement = insert(SmsReport).values(**report)
        changed = {name: statement.excluded[name] for name in ("state", "delivered_at")}
        key = [SmsReport.iccid, SmsReport.carrier_id]
        await self._session.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))

    async def take_report(self, iccid: str, carrier_id: str) -> SmsReport | None:
        """A report that came before its message was known; it is taken once."""
        statement = delete(SmsReport).where(SmsReport.iccid == iccid, SmsReport.carrier_id == carrier_id)
        return await self._session.scalar(statement.returning(SmsReport))

    async def drop_reports(self, before: datetime) -> None:
        await self._session.execute(delete(SmsReport).where(SmsReport.received_at < before))


def _under_way() -> tuple[ColumnElement[bool], ...]:
    """Of messages to a SIM: the carrier may have them."""
    return SmsMessage.due_at.is_not(None), SmsMessage.state.in_((State.SENT, State.UNKNOWN))

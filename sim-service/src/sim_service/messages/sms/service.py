"""The rules of messages: written down before anybody is asked to send them, and listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import NotFound, invalid
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.limits import Limits
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.carrier.models import SmsCoding, SmsDirection
from sim_service.grants.models import Switch
from sim_service.grants.service import GrantService
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.messages.sms import events
from sim_service.messages.sms.limits import SMS_WRITTEN
from sim_service.messages.sms.models import MAX_CALL_DURATION, SmsMessage, SmsPart, State
from sim_service.messages.sms.repository import SmsFilter, SmsRepository
from sim_service.messages.sms.segments import coding_of, split

MAX_LIFETIME = timedelta(days=7)
"""Carriers keep a message no longer."""
MAX_DELAY = timedelta(days=366)
_LATE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to send; `hex` instead of `text` for binary. `coding` None: chosen by the text."""

    text: str | None = None
    hex: str | None = None
    coding: SmsCoding | None = None
    source: str | None = None
    expires_in: int | None = None
    expires_at: datetime | None = None
    send_at: datetime | None = None


class SmsService:
    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope
        self._messages = SmsRepository(session, scope)

    async def write(
        self,
        iccid: str,
        draft: Draft,
        *,
        most_parts: int,
        most_kept: int,
        requested_by: UUID | None,
        hold: bool = False,
    ) -> SmsMessage:
        """Store a message for one SIM in scope; the worker sends it after the commit.

        A `send_at` that has passed means now: `check` refuses it when it is asked for. `hold`: the caller
        sends it itself, the worker only if the caller does not. `most_kept`: of an organisation without a
        limit of its own. Raises NotFound, Conflict for an unclaimed SIM, a limit or beyond the month's SMS,
        Forbidden NOT_GRANTED, 422 for what cannot be sent.
        """
        owner = owner_of(await SimService(self._session, self._scope).get(iccid))
        await GrantService(self._session).require(owner, Switch.SMS)
        now = datetime.now(UTC)
        at, expires_at = _times(draft, now)
        message = SmsMessage(
            organization_id=owner,
            iccid=iccid,
            direction=SmsDirection.MT,
            state=State.SCHEDULED if at > now else State.PENDING,
            coding=SmsCoding.BINARY,
            payload=draft.hex or "",
            source=draft.source,
            at=at,
            expires_at=expires_at,
            due_at=at + MAX_CALL_DURATION if hold and at <= now else at,
            requested_by=requested_by,
            created_at=now,
        )
        await self._divide(message, draft, most_parts)
        await self._count(message, owner, most_kept)
        self._messages.add(message)
        await self._session.flush()
        return message

    async def _count(self, message: SmsMessage, owner: UUID, most_kept: int) -> None:
        await GrantService(self._session).take_sms(owner, message.at, message.parts_total)
        await Limits(self._session, {SMS_WRITTEN: most_kept}).take(owner, SMS_WRITTEN)

    async def _divide(self, message: SmsMessage, draft: Draft, most_parts: int) -> None:
        if draft.text is not None:
            message.coding, message.payload = coding_of(draft.text, draft.coding), draft.text
        reference = ((await self._messages.last_reference(message.iccid) or 0) + 1) % 256
        segments = split(
            message.payload, SmsCoding(message.coding), reference=reference, most_parts=most_parts
        )
        message.reference = reference if len(segments) > 1 else None
        message.parts_total = len(segments)
        message.parts = [
            message.new_part(number, segment.payload, segment.udh, State.PENDING)
            for number, segment in enumerate(segments, 1)
        ]

    async def get(
        self, message_id: UUID, *, iccid: str | None = None, for_update: bool = False
    ) -> SmsMessage:
        """One message with its parts; raises NotFound, also for another SIM's than `iccid`."""
        message = await self._messages.get(message_id, for_update=for_update)
        if message is None or iccid not in {None, message.iccid}:
            raise NotFound("no such message", code="SMS_NOT_FOUND")
        return message

    async def some(self, ids: Sequence[UUID]) -> Sequence[SmsMessage]:
        """Those of the messages that exist in scope, without their parts."""
        return await self._messages.some(ids)

    async def find(
        self, wanted: SmsFilter, paging: PageParams, *, sort: Literal["at", "-at"] = "-at"
    ) -> PageResult[SmsMessage]:
        return await self._messages.page(wanted, sort, paging)

    async def still_owned(self, message: SmsMessage) -> bool:
        """Whether the SIM belongs to whom the message does; it may have been released since."""
        sim = await SimService(self._session, self._scope).get(message.iccid)
        return sim.organization_id == message.organization_id

    async def still_granted(self, message: SmsMessage) -> bool:
        """Whether its organisation may send messages; that may have been withdrawn since."""
        owner = message.organization_id
        return owner is not None and await GrantService(self._session).allows(owner, Switch.SMS)

    async def stop(self, message: SmsMessage, state: State, code: str, reason: str) -> None:
        """End what was not sent yet, and say why."""
        unsent = message.unsent_parts
        message.stop(state, code, reason)
        await self.give_back(message, unsent)

    async def give_back(self, message: SmsMessage, parts: int) -> None:
        """So many parts count no more in the month's SMS of their organisation."""
        if message.organization_id is not None and parts:
            await GrantService(self._session).give_back_sms(message.organization_id, message.at, parts)

    async def settle(self, message: SmsMessage) -> None:
        """Take the state that the parts add up to; publishes sim.sms_sent once all are sent."""
        published = events.sent(message) if message.settle() else []
        await self._session.flush()
        await Outbox(self._session).add(*published)

    async def accepted(self, part: SmsPart, carrier_id: str) -> None:
        """The carrier has a part; applies an early report. Call it inside `lock_sim`, `settle` after it."""
        part.carrier_id, part.state = carrier_id, State.SENT
        report = await self._messages.take_report(part.iccid, carrier_id)
        if report is not None:
            part.end(State(report.state), report.delivered_at)


def check(draft: Draft, *, most_parts: int) -> None:
    """Raise 422 for what cannot be sent to any SIM, or was to be sent in the past, when it is asked for."""
    now = datetime.now(UTC)
    if draft.send_at is not None and not now - _LATE <= draft.send_at <= now + MAX_DELAY:
        raise invalid("send_at", "must be within the coming year")
    _times(draft, now)
    coding = SmsCoding.BINARY if draft.text is None else coding_of(draft.text, draft.coding)
    payload = draft.text if draft.text is not None else draft.hex
    split(payload or "", coding, reference=0, most_parts=most_parts)


def _times(draft: Draft, now: datetime) -> tuple[datetime, datetime | None]:
    """When it is due and when it expires; raises 422."""
    at = max(draft.send_at or now, now)
    expires_at = draft.expires_at
    if draft.expires_in is not None:
        expires_at = at + timedelta(seconds=draft.expires_in)
    if expires_at is not None and not at < expires_at <= at + MAX_LIFETIME:
        raise invalid("expires_at", "must be after the message is due, within 7 days")
    return at, expires_at

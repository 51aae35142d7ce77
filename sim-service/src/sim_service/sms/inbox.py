"""What comes in: messages from SIMs, whole or in parts, and reports of delivery; each once, in any order."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import NotFound
from fleet_kit.outbox import Outbox
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.facts import CarrierSms, SmsDirection
from sim_service.sims.service import SimService
from sim_service.sms import events
from sim_service.sms.header import Place, place_of
from sim_service.sms.models import SmsMessage, SmsPart, State
from sim_service.sms.repository import SmsRepository
from sim_service.sms.service import SmsService

_PARTS_TOGETHER = timedelta(hours=48)
"""A part is delivered again for a day; older parts with the same reference belong to another message."""
REPORTS_KEPT = timedelta(days=8)


class SmsInbox:
    """Takes in what the carrier pushes or lists. When a call returns, it is stored."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def receive(self, sms: CarrierSms) -> None:
        """A message, or a part of one, from a SIM; a repetition changes nothing.

        From a SIM that nobody owns it is kept for nobody: only the platform administrator ever sees it.
        """
        async with self._sessions.begin() as session:
            messages = SmsRepository(session, EVERYTHING)
            await messages.one_at_a_time(sms.iccid)
            if await messages.assigned(sms.iccid, {sms.id}):
                return
            message = await _place(session, messages, sms)
            if message.final_at is not None:
                await session.flush()
                await Outbox(session).add(*events.received(message))

    async def report(self, iccid: str, carrier_id: str, end: State, delivered_at: datetime | None) -> None:
        """A message to a SIM reached its end. One not known yet is noted until the carrier's answer is."""
        async with self._sessions.begin() as session:
            messages = SmsRepository(session, EVERYTHING)
            await messages.one_at_a_time(iccid)
            message = await messages.message_with(iccid, carrier_id)
            if message is None:
                owner = await _owner(session, iccid)
                await messages.keep_report(
                    {
                        "iccid": iccid,
                        "carrier_id": carrier_id,
                        "organization_id": owner,
                        "state": end,
                        "delivered_at": delivered_at,
                    }
                )
                return
            for part in message.parts:
                if part.carrier_id == carrier_id and part.end(end):
                    part.delivered_at = delivered_at
            await SmsService(session, EVERYTHING).settle(message)

    async def tidy(self) -> None:
        """Show messages whose missing parts will not come any more; forget reports of unknown messages."""
        now = datetime.now(UTC)
        async with self._sessions.begin() as session:
            messages = SmsRepository(session, EVERYTHING)
            await messages.drop_reports(now - REPORTS_KEPT)
            late = await SmsService(session, EVERYTHING).claim_due(SmsDirection.MO, (State.PENDING,), 500)
            for message in late:
                await _incomplete(session, message, now)


async def _place(session: AsyncSession, messages: SmsRepository, sms: CarrierSms) -> SmsMessage:
    """Put a new part where it belongs."""
    place = place_of(sms.udh) or Place(None, 1, 1)
    at = sms.submitted_at or datetime.now(UTC)
    fresh = _message(sms, place, at, await _owner(session, sms.iccid))
    message = fresh
    if place.total > 1:
        known = await messages.open_incoming(sms.iccid, fresh, at - _PARTS_TOGETHER)
        if known is not None and all(part.number != place.number for part in known.parts):
            message = known
    if message is fresh:
        messages.add(fresh)
    message.parts = sorted([*message.parts, _part(message, sms, place)], key=lambda part: part.number)
    message.payload = "".join(part.payload for part in message.parts)
    message.at = min(message.at, at)
    if len(message.parts) == message.parts_total:
        message.state, message.look_at = State.RECEIVED, None
        message.final_at = datetime.now(UTC)
    return message


def _message(sms: CarrierSms, place: Place, at: datetime, owner: object) -> SmsMessage:
    return SmsMessage(
        organization_id=owner,
        iccid=sms.iccid,
        direction=SmsDirection.MO,
        state=State.PENDING,
        coding=sms.coding,
        payload="",
        source=sms.source,
        destination=sms.destination,
        reference=place.reference,
        parts_total=place.total,
        at=at,
        look_at=datetime.now(UTC) + _PARTS_TOGETHER,
        parts=[],
        created_at=datetime.now(UTC),
    )


def _part(message: SmsMessage, sms: CarrierSms, place: Place) -> SmsPart:
    return SmsPart(
        organization_id=message.organization_id,
        iccid=sms.iccid,
        number=place.number,
        payload=sms.payload,
        udh=sms.udh,
        state=State.RECEIVED,
        carrier_id=sms.id,
    )


async def _incomplete(session: AsyncSession, message: SmsMessage, now: datetime) -> None:
    message.state, message.look_at, message.final_at = State.RECEIVED, None, now
    message.error_code, message.error = "SMS_INCOMPLETE", "not all of its parts have arrived"
    await session.flush()
    await Outbox(session).add(*events.received(message))


async def _owner(session: AsyncSession, iccid: str) -> object:
    try:
        return (await SimService(session, EVERYTHING).get(iccid)).organization_id
    except NotFound:
        return None

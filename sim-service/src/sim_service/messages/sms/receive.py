"""Messages from SIMs, whole or in parts, and delivery reports; each stored once, in any order."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import NotFound
from fleet_kit.outbox import Outbox
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.models import CarrierSms, SmsDirection
from sim_service.inventory.sims.service import SimService
from sim_service.messages.sms import events
from sim_service.messages.sms.concatenation import ConcatInfo, concat_info
from sim_service.messages.sms.models import SmsMessage, State
from sim_service.messages.sms.repository import SmsRepository
from sim_service.messages.sms.service import SmsService

_PARTS_TOGETHER = timedelta(hours=48)
"""A part is delivered again for a day; older parts with the same reference belong to another message."""
_REPORTS_KEPT = timedelta(days=8)


class SmsReceiver:
    """Stores what the carrier pushes or lists. When a call returns, it is stored."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def receive(self, sms: CarrierSms) -> None:
        """Store a message from a SIM, or a part of one, once; without an owner if the SIM has none."""
        async with self._sessions.begin() as session:
            messages = SmsRepository(session, EVERYTHING)
            await messages.lock_sim(sms.iccid)
            if await messages.assigned(sms.iccid, {sms.id}):
                return
            message = await _add_part(session, messages, sms)
            if message.final_at is not None:
                await session.flush()
                await Outbox(session).add(*events.received(message))

    async def report(self, iccid: str, carrier_id: str, end: State, delivered_at: datetime | None) -> None:
        """A message to a SIM reached its end. A report without a known message is stored for it."""
        async with self._sessions.begin() as session:
            messages = SmsRepository(session, EVERYTHING)
            await messages.lock_sim(iccid)
            message = await messages.message_with(iccid, carrier_id)
            if message is None:
                owner = await _owner(session, iccid)
                await messages.store_report(
                    iccid=iccid,
                    carrier_id=carrier_id,
                    organization_id=owner,
                    state=end,
                    delivered_at=delivered_at,
                )
                return
            for part in message.parts:
                if part.carrier_id == carrier_id:
                    part.end(end, delivered_at)
            await SmsService(session, EVERYTHING).settle(message)

    async def expire_incomplete(self) -> None:
        """Show messages whose missing parts will not come any more; delete reports of unknown messages."""
        now = datetime.now(UTC)
        async with self._sessions.begin() as session:
            messages = SmsRepository(session, EVERYTHING)
            await messages.drop_reports(now - _REPORTS_KEPT)
            late = await messages.claim_incomplete(500)
            for message in late:
                message.state, message.due_at, message.final_at = State.RECEIVED, None, now
                message.error_code, message.error = "SMS_INCOMPLETE", "not all of its parts have arrived"
                await session.flush()
                await Outbox(session).add(*events.received(message))


async def _add_part(session: AsyncSession, messages: SmsRepository, sms: CarrierSms) -> SmsMessage:
    """Add a part to the message that it belongs to, or to a new one."""
    concat = concat_info(sms.udh) or ConcatInfo(None, 1, 1)
    at = sms.submitted_at or datetime.now(UTC)
    fresh = _message(sms, concat, at, await _owner(session, sms.iccid))
    message = fresh
    if concat.total > 1:
        known = await messages.open_incoming(sms.iccid, fresh, at - _PARTS_TOGETHER)
        if known is not None and all(part.number != concat.number for part in known.parts):
            message = known
    if message is fresh:
        messages.add(fresh)
    part = message.new_part(concat.number, sms.payload, sms.udh, State.RECEIVED, sms.id)
    message.parts = sorted([*message.parts, part], key=lambda part: part.number)
    message.payload = "".join(part.payload for part in message.parts)
    message.at = min(message.at, at)
    if len(message.parts) == message.parts_total:
        message.state, message.due_at = State.RECEIVED, None
        message.final_at = datetime.now(UTC)
    return message


def _message(sms: CarrierSms, concat: ConcatInfo, at: datetime, owner: object) -> SmsMessage:
    return SmsMessage(
        organization_id=owner,
        iccid=sms.iccid,
        direction=SmsDirection.MO,
        state=State.PENDING,
        coding=sms.coding,
        payload="",
        source=sms.source,
        destination=sms.destination,
        reference=concat.reference,
        parts_total=concat.total,
        at=at,
        due_at=datetime.now(UTC) + _PARTS_TOGETHER,
        parts=[],
        created_at=datetime.now(UTC),
    )


async def _owner(session: AsyncSession, iccid: str) -> object:
    try:
        return (await SimService(session, EVERYTHING).get(iccid)).organization_id
    except NotFound:
        return None

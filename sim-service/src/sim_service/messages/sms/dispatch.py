"""Handing messages to the carrier: each part is marked before it is sent, so that none is sent twice."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, FleetError, NotFound
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CARRIER_UNAVAILABLE_ERRORS,
    CarrierOperationUnavailable,
    CarrierOutcomeUnknown,
    CarrierRejected,
    CarrierSimNotFound,
)
from sim_service.carrier.lost_calls import growing_delay
from sim_service.carrier.models import Priority, SmsCoding, SmsDirection, SmsToSend
from sim_service.grants.service import NOT_GRANTED
from sim_service.messages.sms.models import FINAL, MAX_CALL_DURATION, UNSENT, SmsMessage, SmsPart, State
from sim_service.messages.sms.repository import SmsRepository
from sim_service.messages.sms.service import SmsService

POLL_AFTER = timedelta(seconds=5)
"""The carrier's list shows a new message by then, if it ever will."""
_LONGEST_DELAY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PartToSend:
    message_id: UUID
    number: int
    iccid: str
    sms: SmsToSend


class SmsDispatch:
    """Sends messages and cancels them, one part after the other."""

    def __init__(self, sessions: Sessions, carrier: Carrier) -> None:
        self._sessions, self._carrier = sessions, carrier

    async def send(self, message_id: UUID, priority: Priority) -> bool:
        """Send what is left of a message; False if the carrier is unavailable. Lost answers: SmsTracker."""
        while (step := await self._mark_next(message_id)) is not None:
            try:
                carrier_id = await self._carrier.send_sms(step.iccid, step.sms, priority=priority)
            except FleetError as error:
                await self._mark_failed(step, error)
                return not isinstance(error, CARRIER_UNAVAILABLE_ERRORS)
            await self._mark_sent(step, carrier_id)
        return True

    async def _mark_next(self, message_id: UUID) -> PartToSend | None:
        """The next part, marked as asked; None where nothing may be sent now."""
        async with self._sessions.begin() as session:
            sms = SmsService(session, EVERYTHING)
            message = await sms.get(message_id, for_update=True)
            now = datetime.now(UTC)
            if message.state not in UNSENT or message.at > now:
                return None
            if message.outcome_unknown:
                _expire_stale_send(message, now)
                return None
            if message.deadline <= now:
                await sms.stop(message, State.EXPIRED, "SMS_EXPIRED", "its time was over before it was sent")
                return None
            if not await sms.still_owned(message):
                await sms.stop(
                    message, State.CANCELLED, "SIM_RELEASED", "the SIM no longer belongs to who wrote this"
                )
                return None
            if not await sms.still_granted(message):
                await sms.stop(
                    message, State.CANCELLED, NOT_GRANTED, "sending messages is not granted any more"
                )
                return None
            part = next(part for part in message.parts if part.state == State.PENDING)
            part.state, part.asked_at = State.ASKED, now
            message.state, message.due_at = State.PENDING, now + MAX_CALL_DURATION
            return PartToSend(message.id, part.number, message.iccid, _wire(message, part))

    async def _mark_sent(self, step: PartToSend, carrier_id: str) -> None:
        async with self._reloaded(step) as (sms, message, part):
            message.failures, message.due_at = 0, datetime.now(UTC) + POLL_AFTER
            await sms.accepted(part, carrier_id)
            await sms.settle(message)

    async def _mark_failed(self, step: PartToSend, error: FleetError) -> None:
        """Of unknown outcome, to be sent later since it certainly was not, or refused."""
        async with self._reloaded(step) as (sms, message, part):
            if isinstance(error, CarrierOutcomeUnknown):
                part.state = State.UNKNOWN
                message.settle()
                message.due_at = datetime.now(UTC) + POLL_AFTER
            elif isinstance(error, CARRIER_UNAVAILABLE_ERRORS):
                part.state, part.asked_at = State.PENDING, None
                delay = growing_delay(message.failures, longest=_LONGEST_DELAY)
                message.failures, message.due_at = message.failures + 1, datetime.now(UTC) + delay
            else:
                await sms.stop(message, State.FAILED, error.code, error.message)

    @asynccontextmanager
    async def _reloaded(self, sent: PartToSend) -> AsyncIterator[tuple[SmsService, SmsMessage, SmsPart]]:
        async with self._sessions.begin() as session:
            sms = SmsService(session, EVERYTHING)
            await SmsRepository(session, EVERYTHING).lock_sim(sent.iccid)
            message = await sms.get(sent.message_id, for_update=True)
            yield sms, message, next(part for part in message.parts if part.number == sent.number)

    async def cancel(self, message_id: UUID, scope: Scope) -> SmsMessage:
        """Cancel a message; raises Conflict where it is too late or its outcome is not known yet."""
        for carrier_id, iccid in await self._withdraw(message_id, scope):
            if not await self._cancel_part(iccid, carrier_id):
                raise Conflict("the message can no longer be cancelled", code="SMS_NOT_CANCELLABLE")
            async with self._sessions.begin() as session:
                sms = SmsService(session, scope)
                message = await sms.get(message_id, for_update=True)
                for part in message.parts:
                    if part.carrier_id == carrier_id:
                        part.end(State.CANCELLED)
                message.settle()
        async with self._sessions() as session:
            return await SmsService(session, scope).get(message_id)

    async def _withdraw(self, message_id: UUID, scope: Scope) -> Sequence[tuple[str, str]]:
        """End what was not sent; (carrier's id, ICCID) of the parts that the carrier still has."""
        async with self._sessions.begin() as session:
            sms = SmsService(session, scope)
            message = await sms.get(message_id, for_update=True)
            if message.direction != SmsDirection.MT:
                raise Conflict("the message came from the SIM", code="SMS_NOT_CANCELLABLE")
            if message.outcome_unknown:
                raise Conflict("what became of the message is not known yet", code="SMS_OUTCOME_UNKNOWN")
            if message.state in FINAL:
                raise Conflict(f"the message is {message.state}", code="SMS_NOT_CANCELLABLE")
            with_carrier = [part for part in message.parts if part.state == State.SENT and part.carrier_id]
            await sms.give_back(message, sum(part.state in UNSENT for part in message.parts))
            for part in message.parts:
                if part.state in UNSENT:
                    part.end(State.CANCELLED)
            message.settle()
            message.due_at = datetime.now(UTC) if with_carrier else None
            return [(part.carrier_id or "", part.iccid) for part in with_carrier]

    async def _cancel_part(self, iccid: str, carrier_id: str) -> bool:
        try:
            return await self._carrier.cancel_sms(iccid, carrier_id, priority=Priority.INTERACTIVE)
        except (NotFound, CarrierRejected):
            return False


def _expire_stale_send(message: SmsMessage, now: datetime) -> None:
    """Whoever sent a part is gone, and with them the answer."""
    for part in message.parts:
        if part.state != State.ASKED or part.asked_at is None:
            continue
        message.due_at = max(now, part.asked_at + MAX_CALL_DURATION)
        if message.due_at == now:
            part.state = State.UNKNOWN
            message.settle()


def _wire(message: SmsMessage, part: SmsPart) -> SmsToSend:
    return SmsToSend(
        payload=part.payload,
        coding=SmsCoding(message.coding),
        source=message.source,
        udh=part.udh,
        expires_at=message.expires_at,
    )


def refusal_of(message: SmsMessage) -> FleetError | None:
    """Why the carrier did not take a message, as the error that it was."""
    if message.error_code is None or message.state != State.FAILED:
        return None
    details = {"message_id": str(message.id)}
    kinds = {kind.default_code: kind for kind in (CarrierSimNotFound, CarrierOperationUnavailable)}
    kind = kinds.get(message.error_code, CarrierRejected)
    return kind(message.error or "the carrier refused the message", code=message.error_code, details=details)

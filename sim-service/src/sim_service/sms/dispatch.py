"""Handing messages to the carrier: each part is noted as asked before it is, so that none goes out twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, FleetError, NotFound
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import SmsCalls
from sim_service.carrier.errors import (
    CarrierAway,
    CarrierOperationUnavailable,
    CarrierOutcomeUnknown,
    CarrierRejected,
    CarrierSimNotFound,
)
from sim_service.carrier.facts import Priority, SmsCoding, SmsDirection, SmsToSend
from sim_service.sms.models import FINAL, UNSENT, SmsMessage, SmsPart, State
from sim_service.sms.service import ASK_WITHIN, SmsService

LOOK_AFTER = timedelta(seconds=5)
"""An answer was lost: the carrier's list shows the message by then, if it ever will."""
_LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class Step:
    """One part that is about to be sent."""

    message_id: UUID
    number: int
    iccid: str
    sms: SmsToSend


class SmsDispatch:
    """Sends messages and takes them back, one part after the other."""

    def __init__(self, sessions: Sessions, carrier: SmsCalls) -> None:
        self._sessions, self._carrier = sessions, carrier

    async def send(self, message_id: UUID, priority: Priority) -> bool:
        """Send what is left of a message; False if the carrier is away and it has to wait.

        What the carrier refuses ends the message with the reason, and what became of a part whose answer was
        lost is left to SmsFollow.
        """
        while (step := await self._next(message_id)) is not None:
            try:
                carrier_id = await self._carrier.send_sms(step.iccid, step.sms, priority=priority)
            except CarrierOutcomeUnknown:
                await self._in_doubt(step)
                return True
            except CarrierAway:
                await self._later(step)
                return False
            except FleetError as refusal:
                await self._refused(step, refusal)
                return True
            await self._sent(step, carrier_id)
        return True

    async def _next(self, message_id: UUID) -> Step | None:
        """Note the next part as asked for."""
        async with self._sessions.begin() as session:
            sms = SmsService(session, EVERYTHING)
            message = await sms.get(message_id, for_update=True)
            now = datetime.now(UTC)
            if message.state not in UNSENT or message.at > now:
                return None
            if message.in_doubt:
                _doubt_forsaken(message, now)
                return None
            if message.deadline <= now:
                message.stop(State.EXPIRED, "SMS_EXPIRED", "its time was over before it was sent")
                return None
            if not await sms.still_owned(message):
                message.stop(State.CANCELLED, "SIM_RELEASED", "the SIM no longer belongs to who wrote this")
                return None
            part = next(part for part in message.parts if part.state == State.PENDING)
            part.state, part.asked_at = State.ASKED, now
            message.state, message.look_at = State.PENDING, now + ASK_WITHIN
            return Step(message.id, part.number, message.iccid, _wire(message, part))

    async def _sent(self, step: Step, carrier_id: str) -> None:
        async with self._sessions.begin() as session:
            sms, message, part = await _reload(session, step)
            message.failures, message.look_at = 0, datetime.now(UTC) + LOOK_AFTER
            await sms.sent(part, carrier_id)
            await sms.settle(message)

    async def _in_doubt(self, step: Step) -> None:
        async with self._sessions.begin() as session:
            _, message, part = await _reload(session, step)
            part.state = State.UNKNOWN
            message.settle()
            message.look_at = datetime.now(UTC) + LOOK_AFTER

    async def _later(self, step: Step) -> None:
        """It was certainly not sent: try again, ever more rarely."""
        async with self._sessions.begin() as session:
            _, message, part = await _reload(session, step)
            part.state, part.asked_at = State.PENDING, None
            message.failures += 1
            pause = min(_LONGEST_PAUSE, 2.0 ** min(message.failures, 10))
            message.look_at = datetime.now(UTC) + timedelta(seconds=pause)

    async def _refused(self, step: Step, refusal: FleetError) -> None:
        async with self._sessions.begin() as session:
            _, message, _ = await _reload(session, step)
            message.stop(State.FAILED, refusal.code, refusal.message)

    async def cancel(self, message_id: UUID, scope: Scope) -> SmsMessage:
        """Take a message back; raises Conflict where it is too late or its outcome is not known yet."""
        for carrier_id, iccid in await self._withdraw(message_id, scope):
            if not await self._taken_back(iccid, carrier_id):
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
            message = await SmsService(session, scope).get(message_id, for_update=True)
            if message.direction != SmsDirection.MT:
                raise Conflict("the message came from the SIM", code="SMS_NOT_CANCELLABLE")
            if message.in_doubt:
                raise Conflict("what became of the message is not known yet", code="SMS_OUTCOME_UNKNOWN")
            if message.state in FINAL:
                raise Conflict(f"the message is {message.state}", code="SMS_NOT_CANCELLABLE")
            with_carrier = [part for part in message.parts if part.state == State.SENT and part.carrier_id]
            for part in message.parts:
                if part.state in UNSENT:
                    part.end(State.CANCELLED)
            message.settle()
            message.look_at = datetime.now(UTC) if with_carrier else None
            return [(part.carrier_id or "", part.iccid) for part in with_carrier]

    async def _taken_back(self, iccid: str, carrier_id: str) -> bool:
        try:
            return await self._carrier.cancel_sms(iccid, carrier_id, priority=Priority.PEOPLE)
        except (NotFound, CarrierRejected):
            return False


async def _reload(session: AsyncSession, step: Step) -> tuple[SmsService, SmsMessage, SmsPart]:
    sms = SmsService(session, EVERYTHING)
    await sms.one_at_a_time(step.iccid)
    message = await sms.get(step.message_id, for_update=True)
    return sms, message, next(part for part in message.parts if part.number == step.number)


def _doubt_forsaken(message: SmsMessage, now: datetime) -> None:
    """Whoever asked is gone: nobody knows the answer any more."""
    for part in message.parts:
        if part.state != State.ASKED or part.asked_at is None:
            continue
        message.look_at = max(now, part.asked_at + ASK_WITHIN)
        if message.look_at == now:
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

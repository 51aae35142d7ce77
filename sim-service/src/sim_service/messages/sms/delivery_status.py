"""Following messages to their end: what the carrier's list shows of them, and those whose answer was lost.

A part of unknown outcome is sent again only where a list that was read long enough after the call lacks it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierOperationUnavailable, CarrierSimNotFound
from sim_service.carrier.lost_calls import Listing, LostCalls, read_pages
from sim_service.carrier.models import CarrierSms, Priority, SmsCoding, SmsDirection, SmsState
from sim_service.messages.sms.dispatch import POLL_AFTER
from sim_service.messages.sms.models import FINAL, SmsMessage, SmsPart, State
from sim_service.messages.sms.receive import SmsReceiver
from sim_service.messages.sms.repository import SmsRepository
from sim_service.messages.sms.service import MAX_LIFETIME, SmsService

log = structlog.get_logger(__name__)

END_STATES = {
    SmsState.DELIVERED: State.DELIVERED,
    SmsState.FAILED: State.FAILED,
    SmsState.EXPIRED: State.EXPIRED,
}
_POLL_DELAYS = (
    (timedelta(minutes=1), timedelta(seconds=5)),
    (timedelta(minutes=10), timedelta(seconds=30)),
    (timedelta(hours=1), timedelta(minutes=5)),
    (MAX_LIFETIME + timedelta(days=1), timedelta(minutes=30)),
)
"""How long to wait until the next poll, by a message's age; after the last the carrier has forgotten it."""
_URGENT = timedelta(minutes=10)
"""How long a caller waits for the outcome: whether a message was sent at all."""
_CLOCK_TOLERANCE = timedelta(minutes=10)
_LAST = datetime.max.replace(tzinfo=UTC)
_MOST_PAGES = 20

SentPart = tuple[SmsMessage, SmsPart]
LOST_PARTS: LostCalls[SentPart, CarrierSms] = LostCalls(
    sent_at=lambda sent: sent[1].asked_at or sent[0].at,
    appeared_at=lambda listed: listed.submitted_at,
    same_content=lambda sent, listed: listed.has_content(
        SmsCoding(sent[0].coding), sent[1].udh, sent[1].payload
    ),
    identity=lambda sent, listed: listed.id,
    clock_tolerance=_CLOCK_TOLERANCE,
    rank=lambda sent, listed: listed.submitted_at or _LAST,
)


class SmsTracker:
    """Polls SIM by SIM. `settled_after`: seconds after which a list without a part disproves its sending."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, settled_after: float) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._give_up = timedelta(seconds=settled_after)

    async def poll_sim(self, iccid: str, since: datetime) -> None:
        """Apply what the carrier lists for one SIM since a moment, and store what came from the SIM.

        Raises CARRIER_UNAVAILABLE_ERRORS.
        """
        since -= _CLOCK_TOLERANCE
        try:
            listing, reaches_back_to = await self._list(iccid, since)
        except (CarrierSimNotFound, CarrierOperationUnavailable) as error:
            log.warning("messages cannot be reconciled", iccid=iccid, code=error.code)
            listing, reaches_back_to = Listing((), complete=False, begun_at=since), since
        async with self._sessions.begin() as session:
            await self._apply(session, iccid, listing, reaches_back_to)
        for sms in listing.items:
            if sms.direction is SmsDirection.MO and (sms.submitted_at or since) >= since:
                await SmsReceiver(self._sessions).receive(sms)

    async def _list(self, iccid: str, since: datetime) -> tuple[Listing[CarrierSms], datetime]:
        """The newest pages, and from when on they lack nothing."""

        async def read(page: int) -> Sequence[CarrierSms]:
            return await self._carrier.list_sms(iccid, page, priority=Priority.BACKGROUND)

        def is_last(page: Sequence[CarrierSms]) -> bool:
            return not page or (page[-1].submitted_at or since) < since

        listing = await read_pages(read, is_last, most_pages=_MOST_PAGES)
        if listing.complete:
            return listing, since
        oldest = min((sms.submitted_at for sms in listing.items if sms.submitted_at), default=_LAST)
        return replace(listing, complete=True), min(oldest, _LAST - _CLOCK_TOLERANCE) + _CLOCK_TOLERANCE

    async def _apply(
        self, session: AsyncSession, iccid: str, listing: Listing[CarrierSms], reaches_back_to: datetime
    ) -> None:
        now = datetime.now(UTC)
        repository, sms = SmsRepository(session, EVERYTHING), SmsService(session, EVERYTHING)
        await repository.lock_sim(iccid)
        listed = {one.id: one for one in listing.items if one.direction is SmsDirection.MT}
        taken = await repository.assigned(iccid, listed)
        messages = await repository.open_of_sim(iccid)
        lost = [(message, part) for message in messages for part in message.parts if part.is_lost]
        listing = replace(listing, items=list(listed.values()))
        for sent, found in LOST_PARTS.settle(lost, listing, taken, give_up=self._give_up):
            part = sent[1]
            if found is not None:
                await sms.accepted(part, found.id)
            elif LOST_PARTS.sent_at(sent) >= reaches_back_to:
                part.state, part.asked_at = State.PENDING, None
        for message in messages:
            for part in message.parts:
                if (one := listed.get(part.carrier_id or "")) and (end := END_STATES.get(one.state)):
                    part.end(end, one.delivered_at)
            await sms.settle(message)
            if message.state not in FINAL:
                message.due_at = _next_poll(message, now)


def _next_poll(message: SmsMessage, now: datetime) -> datetime | None:
    """None once the carrier has forgotten the message."""
    if message.state == State.PENDING:
        return now
    age = now - message.at
    if message.state == State.UNKNOWN and age < _URGENT:
        return now + POLL_AFTER
    delay = next((delay for until, delay in _POLL_DELAYS if age < until), None)
    if delay is None:
        message.state = State.UNKNOWN
        return None
    return now + delay

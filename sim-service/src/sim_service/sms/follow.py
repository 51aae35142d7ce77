"""Following messages to their end: what the carrier's list says of them, and those whose answer was lost.

A part in doubt is looked for in the list: same content, not part of another message of ours, not older than
our request. Only where a look long enough after the request does not find it, it is sent again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import SmsCalls
from sim_service.carrier.errors import CarrierOperationUnavailable, CarrierSimNotFound
from sim_service.carrier.facts import CarrierSms, Priority, SmsDirection, SmsState
from sim_service.sms.dispatch import LOOK_AFTER
from sim_service.sms.inbox import SmsInbox
from sim_service.sms.models import FINAL, SmsMessage, SmsPart, State
from sim_service.sms.repository import SmsRepository
from sim_service.sms.service import LONGEST_LIFE, SmsService

log = structlog.get_logger(__name__)

ENDS = {
    SmsState.DELIVERED: State.DELIVERED,
    SmsState.FAILED: State.FAILED,
    SmsState.EXPIRED: State.EXPIRED,
}
_PAUSES = (
    (timedelta(minutes=1), timedelta(seconds=5)),
    (timedelta(minutes=10), timedelta(seconds=30)),
    (timedelta(hours=1), timedelta(minutes=5)),
    (LONGEST_LIFE + timedelta(days=1), timedelta(minutes=30)),
)
"""How often a message is asked about, by its age; after the last nobody knows it any more."""
_SOON_KNOWN = timedelta(minutes=10)
"""Somebody waits to hear whether a message was sent at all."""
_CLOCKS_DIFFER = timedelta(minutes=10)
_MOST_PAGES = 20
_AT_ONCE = 50


class SmsFollow:
    """Asks the carrier what became of messages, SIM by SIM.

    `settled_after`: seconds after a request at which a list without the message means it was not sent.
    """

    def __init__(self, sessions: Sessions, carrier: SmsCalls, *, settled_after: float) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._settled = timedelta(seconds=settled_after)

    async def look(self) -> int:
        """Look once at all that is due; how many SIMs that were. Raises CarrierAway's errors."""
        looked = 0
        while sims := await self._due():
            for iccid, since in sims.items():
                await self.look_at(iccid, since)
            looked += len(sims)
        return looked

    async def _due(self) -> dict[str, datetime]:
        """The SIMs with messages to look at, and since when those are under way."""
        async with self._sessions.begin() as session:
            due = await SmsService(session, EVERYTHING).claim_due(
                SmsDirection.MT, (State.SENT, State.UNKNOWN), _AT_ONCE
            )
        since: dict[str, datetime] = {}
        for message in due:
            since[message.iccid] = min(message.at, since.get(message.iccid, message.at))
        return since

    async def look_at(self, iccid: str, since: datetime) -> None:
        """Take over what the carrier lists for one SIM since a moment."""
        since -= _CLOCKS_DIFFER
        settled = datetime.now(UTC) - self._settled
        try:
            listed = await self._listed(iccid, since)
        except (CarrierSimNotFound, CarrierOperationUnavailable) as error:
            log.warning("messages cannot be looked for", iccid=iccid, code=error.code)
            listed = None
        async with self._sessions.begin() as session:
            await self._apply(session, iccid, listed, settled)
        for sms in listed or []:
            if sms.direction is SmsDirection.MO and (sms.submitted_at or since) >= since:
                await SmsInbox(self._sessions).receive(sms)

    async def _listed(self, iccid: str, since: datetime) -> list[CarrierSms]:
        listed: list[CarrierSms] = []
        for page in range(1, _MOST_PAGES + 1):
            found = await self._carrier.list_sms(iccid, page, priority=Priority.BACKGROUND)
            listed += found
            if not found or (found[-1].submitted_at or since) < since:
                break
        return listed

    async def _apply(
        self, session: AsyncSession, iccid: str, listed: Sequence[CarrierSms] | None, settled: datetime
    ) -> None:
        """`listed` None: the carrier cannot be asked about this SIM. `settled`: see _Look."""
        now = datetime.now(UTC)
        repository, sms = SmsRepository(session, EVERYTHING), SmsService(session, EVERYTHING)
        await sms.one_at_a_time(iccid)
        ours = [one for one in listed or [] if one.direction is SmsDirection.MT]
        taken = await repository.assigned(iccid, {one.id for one in ours})
        look = _Look(now, {one.id: one for one in ours}, taken, None if listed is None else settled)
        for message in await repository.open_of_sim(iccid):
            for part in message.parts:
                if part.carrier_id:
                    _follow(part, look.known.get(part.carrier_id))
                elif part.state == State.UNKNOWN:
                    await self._resolve(sms, message, part, look)
            await sms.settle(message)
            if message.state not in FINAL:
                message.look_at = _next_look(message, now)

    async def _resolve(self, sms: SmsService, message: SmsMessage, part: SmsPart, look: "_Look") -> None:
        found = look.find(message, part)
        if found is not None:
            look.taken.add(found.id)
            await sms.sent(part, found.id)
            _follow(part, found)
        elif look.settled is not None and part.asked_at is not None and part.asked_at <= look.settled:
            part.state, part.asked_at = State.PENDING, None


@dataclass(slots=True)
class _Look:
    """What a look at the carrier's list found; `settled`: parts asked before it would be in the list.

    It counts from before the first page was read, for a long list takes longer than a part to get into it.
    """

    now: datetime
    known: Mapping[str, CarrierSms]
    taken: set[str]
    settled: datetime | None

    def find(self, message: SmsMessage, part: SmsPart) -> CarrierSms | None:
        """The oldest message in the list that can only be this part."""
        since = (part.asked_at or message.at) - _CLOCKS_DIFFER
        same = [
            one
            for one in self.known.values()
            if one.id not in self.taken
            and (one.coding, one.udh.upper()) == (message.coding, part.udh.upper())
            and _same(one, part)
            and (one.submitted_at is None or one.submitted_at >= since)
        ]
        return min(same, key=lambda one: one.submitted_at or self.now, default=None)


def _same(listed: CarrierSms, part: SmsPart) -> bool:
    return listed.payload == part.payload or listed.payload.upper() == part.payload


def _follow(part: SmsPart, listed: CarrierSms | None) -> None:
    end = ENDS.get(listed.state) if listed is not None else None
    if listed is not None and end is not None and part.end(end):
        part.delivered_at = listed.delivered_at


def _next_look(message: SmsMessage, now: datetime) -> datetime | None:
    """When to look again; None once the carrier has forgotten the message."""
    if message.state == State.PENDING:
        return now
    age = now - message.at
    if message.state == State.UNKNOWN and age < _SOON_KNOWN:
        return now + LOOK_AFTER
    pause = next((pause for until, pause in _PAUSES if age < until), None)
    if pause is None:
        message.state = State.UNKNOWN
        return None
    return now + pause

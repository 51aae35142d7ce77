"""What the worker does for messages without being asked: sends what is due, follows what is under way."""

import asyncio

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import SmsCalls
from sim_service.carrier.errors import CarrierAway
from sim_service.carrier.facts import Priority, SmsDirection
from sim_service.jobs.runner import Held
from sim_service.sms.dispatch import SmsDispatch
from sim_service.sms.follow import SmsFollow
from sim_service.sms.inbox import SmsInbox
from sim_service.sms.models import UNSENT
from sim_service.sms.service import SmsService

_AT_ONCE = 8
"""Messages on their way to the carrier at the same time; its rate limit holds in any case."""


class SmsDuty:
    """Two things to do from time to time, in as many workers as there are: each message is in one's hands.

    They run beside each other: a look at many SIMs takes minutes, and what is due does not wait for it.
    """

    def __init__(self, sessions: Sessions, carrier: SmsCalls, *, settled_after: float) -> None:
        self._sessions = sessions
        self._dispatch = SmsDispatch(sessions, carrier)
        self._follow = SmsFollow(sessions, carrier, settled_after=settled_after)
        self._inbox = SmsInbox(sessions)

    async def send_due(self) -> int:
        """Send what is due, until there is no more or the carrier is away; how many were looked at."""
        looked = 0
        while True:
            async with self._sessions.begin() as session:
                due = await SmsService(session, EVERYTHING).claim_due(SmsDirection.MT, UNSENT, _AT_ONCE)
            went = await asyncio.gather(
                *(self._dispatch.send(message.id, Priority.BACKGROUND) for message in due)
            )
            looked += len(due)
            if not due or not all(went):
                return looked

    async def look(self) -> int:
        """Ask what became of messages; how many SIMs that were. While the carrier is away: later."""
        await self._inbox.tidy()
        try:
            return await self._follow.look()
        except CarrierAway:
            return 0

    async def run_sending(self, held: Held) -> None:
        """The handler of jobs that send what is due."""
        await _note(held, await self.send_due())

    async def run_states(self, held: Held) -> None:
        """The handler of jobs that ask what became of messages."""
        await self._inbox.tidy()
        await _note(held, await self._follow.look())


async def _note(held: Held, done: int) -> None:
    async with held.sessions.begin() as session:
        job = await held.in_transaction(session, finish_part=True)
        job.done = job.total = done

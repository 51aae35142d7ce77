"""What the worker does for messages: sends what is due, polls what is under way."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

import structlog

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS
from sim_service.carrier.fair_share import share_of
from sim_service.carrier.models import Priority
from sim_service.messages.sms.delivery_status import SmsTracker
from sim_service.messages.sms.dispatch import SmsDispatch
from sim_service.messages.sms.models import SmsMessage
from sim_service.messages.sms.receive import SmsReceiver
from sim_service.messages.sms.repository import SmsRepository
from sim_service.work.jobs.handle import JobLease

log = structlog.get_logger(__name__)

_AT_ONCE = 8
"""Messages on their way to the carrier at the same time; its rate limit holds in any case."""
_OF_ONE = 4
"""So many of one organisation are claimed at a time; with as many under way, others have the next place."""
_CLAIM_SECONDS = 1.0
"""What has fallen due meanwhile waits no longer for a free place to be used."""


class SmsJobs:
    """Sending and polling, each periodic and as jobs; apart, since polling many SIMs takes minutes."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, settled_after: float) -> None:
        self._sessions = sessions
        self._dispatch = SmsDispatch(sessions, carrier)
        self._tracker = SmsTracker(sessions, carrier, settled_after=settled_after)
        self._receiver = SmsReceiver(sessions)

    async def send_due(self) -> int:
        """Send what is due until none is left or the carrier is unavailable; how many messages were tried.

        Each place that becomes free is given away at once: a slow message holds up no others.
        """
        under_way: dict[asyncio.Task[bool], UUID | None] = {}
        tried, available = 0, True
        try:
            while True:
                for message in await self._claim(under_way.values()) if available else ():
                    under_way[asyncio.create_task(self._send(message))] = message.organization_id
                if not under_way:
                    return tried
                done, _ = await asyncio.wait(
                    under_way, timeout=_CLAIM_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    del under_way[task]
                    tried, available = tried + 1, task.result() and available
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _claim(self, owners: Collection[UUID | None]) -> Sequence[SmsMessage]:
        """Messages for the free places; `owners`: whose messages are under way."""
        sending = Counter(owner for owner in owners if owner is not None)
        busy = [owner for owner, number in sending.items() if number >= _OF_ONE]
        free = _AT_ONCE - len(owners)
        if not free:
            return ()
        async with self._sessions.begin() as session:
            return await SmsRepository(session, EVERYTHING).claim_to_send(min(free, _OF_ONE), busy)

    async def _send(self, message: SmsMessage) -> bool:
        """False if the carrier is unavailable. What fails here is tried again when its claim has run out."""
        try:
            with share_of(message.organization_id):
                return await self._dispatch.send(message.id, Priority.BACKGROUND)
        except Exception as error:
            log.warning("a message was not sent", id=str(message.id), exc_info=error)
            return True

    async def poll_due(self) -> int:
        """Poll what is due; how many SIMs that were, 0 while the carrier is unavailable."""
        await self._receiver.expire_incomplete()
        try:
            return await self._tracker.poll_due()
        except CARRIER_UNAVAILABLE_ERRORS:
            return 0

    async def run_sending(self, lease: JobLease) -> None:
        await _finish(lease, await self.send_due())

    async def run_polling(self, lease: JobLease) -> None:
        await self._receiver.expire_incomplete()
        await _finish(lease, await self._tracker.poll_due())


async def _finish(lease: JobLease, done: int) -> None:
    async with lease.sessions.begin() as session:
        job = await lease.lock_job(session, finish_part=True)
        job.done = job.total = done

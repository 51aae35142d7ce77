"""What the worker does for messages: sends what is due, polls what is under way."""

import asyncio

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS
from sim_service.carrier.fair_share import share_of
from sim_service.carrier.models import Priority, SmsDirection
from sim_service.messages.sms.delivery_status import SmsTracker
from sim_service.messages.sms.dispatch import SmsDispatch
from sim_service.messages.sms.models import UNSENT, SmsMessage
from sim_service.messages.sms.receive import SmsReceiver
from sim_service.messages.sms.repository import SmsRepository
from sim_service.work.jobs.handle import JobLease

_AT_ONCE = 8
"""Messages on their way to the carrier at the same time; its rate limit holds in any case."""


class SmsJobs:
    """Sending and polling, each periodic and as jobs; apart, since polling many SIMs takes minutes."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, settled_after: float) -> None:
        self._sessions = sessions
        self._dispatch = SmsDispatch(sessions, carrier)
        self._tracker = SmsTracker(sessions, carrier, settled_after=settled_after)
        self._receiver = SmsReceiver(sessions)

    async def send_due(self) -> int:
        """Send what is due until none is left or the carrier is unavailable; how many messages were tried."""
        tried = 0
        while True:
            async with self._sessions.begin() as session:
                due = await SmsRepository(session, EVERYTHING).claim_due(SmsDirection.MT, UNSENT, _AT_ONCE)
            sent = await asyncio.gather(*map(self._send, due))
            tried += len(due)
            if not due or not all(sent):
                return tried

    async def _send(self, message: SmsMessage) -> bool:
        with share_of(message.organization_id):
            return await self._dispatch.send(message.id, Priority.BACKGROUND)

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

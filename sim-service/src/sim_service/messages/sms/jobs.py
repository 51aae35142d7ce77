"""What the worker does for messages: sends what is due, polls what is under way."""

from collections.abc import Collection, Sequence
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CARRIER_UNAVAILABLE_ERRORS, CarrierUnavailable
from sim_service.carrier.models import Priority
from sim_service.messages.sms.delivery_status import SmsTracker
from sim_service.messages.sms.dispatch import SmsDispatch
from sim_service.messages.sms.models import SmsMessage
from sim_service.messages.sms.places import work_through
from sim_service.messages.sms.receive import SmsReceiver
from sim_service.messages.sms.repository import SimToPoll, SmsRepository
from sim_service.work.jobs.handle import JobLease


class SmsJobs:
    """Sending and polling, each periodic and as jobs; apart, since polling many SIMs takes minutes."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, settled_after: float) -> None:
        self._sessions = sessions
        self._dispatch = SmsDispatch(sessions, carrier)
        self._tracker = SmsTracker(sessions, carrier, settled_after=settled_after)
        self._receiver = SmsReceiver(sessions)

    async def send_due(self) -> int:
        """Send what is due until none is left or the carrier is unavailable; how many messages were tried."""
        return (await work_through(self._claim_to_send, self._send)).tried

    async def poll_due(self) -> int:
        """Poll what is due; how many SIMs that were, 0 while the carrier is unavailable."""
        outcome = await work_through(self._claim_to_poll, self._poll)
        return outcome.tried if outcome.available else 0

    async def expire_incomplete(self) -> None:
        """Show messages from SIMs whose missing parts will not come any more."""
        await self._receiver.expire_incomplete()

    async def _claim_to_send(self, limit: int, busy: Collection[UUID]) -> Sequence[SmsMessage]:
        async with self._sessions.begin() as session:
            return await SmsRepository(session, EVERYTHING).claim_to_send(limit, busy)

    async def _send(self, message: SmsMessage) -> bool:
        return await self._dispatch.send(message.id, Priority.BACKGROUND)

    async def _claim_to_poll(self, limit: int, busy: Collection[UUID]) -> Sequence[SimToPoll]:
        async with self._sessions.begin() as session:
            return await SmsRepository(session, EVERYTHING).claim_to_follow(limit, busy)

    async def _poll(self, sim: SimToPoll) -> bool:
        try:
            await self._tracker.poll_sim(sim.iccid, sim.since)
        except CARRIER_UNAVAILABLE_ERRORS:
            return False
        return True

    async def run_sending(self, lease: JobLease) -> None:
        await _finish(lease, await self.send_due())

    async def run_polling(self, lease: JobLease) -> None:
        await self.expire_incomplete()
        outcome = await work_through(self._claim_to_poll, self._poll)
        if not outcome.available:
            raise CarrierUnavailable("messages wait for the carrier")
        await _finish(lease, outcome.tried)


async def _finish(lease: JobLease, done: int) -> None:
    async with lease.sessions.begin() as session:
        job = await lease.lock_job(session, finish_part=True)
        job.done = job.total = done

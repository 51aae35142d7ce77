"""Asking the carrier for the events of all SIMs, and forgetting old ones."""

from datetime import UTC, datetime, timedelta

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import Priority
from sim_service.events.repository import EventRepository
from sim_service.events.service import EventService
from sim_service.jobs.passing import PASSED_OVER, outcome
from sim_service.jobs.runner import Held

_BATCH = 50
_FORGOTTEN_AT_ONCE = 5_000


class EventSync:
    """The handler of jobs that sync events; what one SIM's answer spoils is counted and passed over."""

    def __init__(self, sessions: Sessions, carrier: Carrier) -> None:
        self._sessions = sessions
        self._events = EventService(sessions, EVERYTHING, carrier)

    async def run(self, held: Held) -> None:
        """Go through the SIMs once; a restarted job finds only those that are left."""
        async with self._sessions.begin() as session:
            job = await held.in_transaction(session)
            began = job.created_at
            job.total = job.done + await EventRepository(session, held.scope).left_to_sync(before=began)
        after = ""
        while True:
            async with self._sessions() as session:
                batch = await EventRepository(session, held.scope).to_sync(
                    before=began, after=after, limit=_BATCH
                )
            if not batch:
                return
            for iccid in batch:
                await self._one(held, iccid)
            after = batch[-1]

    async def _one(self, held: Held, iccid: str) -> None:
        counts = {"synced": 1}
        try:
            counts["stored"] = await self._events.sync(iccid, Priority.BACKGROUND)
        except PASSED_OVER as error:
            counts = {outcome(error): 1}
        await held.one_done(counts)


class EventRetention:
    """Forgets events after `days`."""

    def __init__(self, sessions: Sessions, *, days: int) -> None:
        self._sessions, self._kept = sessions, timedelta(days=days)

    async def purge(self) -> int:
        """Delete what is too old, in transactions of bounded size; how many events went."""
        gone, before = 0, datetime.now(UTC) - self._kept
        while True:
            async with self._sessions.begin() as session:
                deleted = await EventRepository(session, EVERYTHING).purge(before, _FORGOTTEN_AT_ONCE)
            gone += deleted
            if deleted < _FORGOTTEN_AT_ONCE:
                return gone

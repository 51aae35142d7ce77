"""Asking the carrier for the events of all SIMs."""

from collections.abc import Mapping

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import Priority
from sim_service.lifecycle.network_events.repository import NetworkEventRepository
from sim_service.lifecycle.network_events.service import NetworkEventService
from sim_service.work.jobs.handle import JobLease

_BATCH = 50


class NetworkEventSync:
    """The handler of jobs that sync events; what one SIM's answer spoils is counted and passed over."""

    def __init__(self, sessions: Sessions, carrier: Carrier) -> None:
        self._sessions = sessions
        self._events = NetworkEventService(sessions, EVERYTHING, carrier)

    async def run(self, lease: JobLease) -> None:
        """Go through the SIMs once; a restarted job finds only those that are left."""
        async with self._sessions.begin() as session:
            job = await lease.lock_job(session)
            began = job.created_at
            job.total = job.done + await NetworkEventRepository(session, lease.scope).left_to_sync(
                before=began
            )
        after = ""
        while True:
            async with self._sessions() as session:
                batch = await NetworkEventRepository(session, lease.scope).to_sync(
                    before=began, after=after, limit=_BATCH
                )
            if not batch:
                return
            await lease.do_each(batch, self._sync)
            after = batch[-1]

    async def _sync(self, iccid: str) -> Mapping[str, int]:
        return {"synced": 1, "stored": await self._events.sync(iccid, Priority.BACKGROUND)}

"""Asking for a sync from time to time, once for all replicas."""

from datetime import UTC, datetime, timedelta

from fleet_kit.database import Sessions
from sim_service.jobs.models import JobKind
from sim_service.jobs.service import JobService


class SyncSchedule:
    """Asks for a sync when the last was asked for `every_seconds` ago; 0 never asks."""

    def __init__(self, sessions: Sessions, *, every_seconds: float) -> None:
        self._sessions, self._every = sessions, timedelta(seconds=every_seconds)

    async def look(self) -> None:
        """Ask if it is time."""
        if not self._every:
            return
        async with self._sessions.begin() as session:
            jobs = JobService(session)
            last = await jobs.last_request(JobKind.SYNC_SIMS)
            if last is None or datetime.now(UTC) - last >= self._every:
                await jobs.request(JobKind.SYNC_SIMS)

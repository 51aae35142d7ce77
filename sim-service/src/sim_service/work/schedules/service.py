"""The rules of schedules: which job is requested when; what people changed overrides the settings."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import NotFound
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.service import JobService
from sim_service.work.schedules.models import JobSchedule
from sim_service.work.schedules.repository import ScheduleRepository

log = structlog.get_logger(__name__)

CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule as it stands. `every_seconds` 0: never."""

    kind: JobKind
    every_seconds: float
    default_every_seconds: float
    paused: bool
    last_requested_at: datetime | None

    @property
    def next_at(self) -> datetime | None:
        """When the next job is requested; None: never."""
        if self.paused or not self.every_seconds:
            return None
        last = self.last_requested_at
        return last + timedelta(seconds=self.every_seconds) if last else datetime.now(UTC)


class ScheduleService:
    """The schedules. `defaults`: the period of each kind in seconds, as the settings say."""

    def __init__(self, session: AsyncSession, defaults: Mapping[JobKind, float]) -> None:
        self._jobs, self._schedules = JobService(session), ScheduleRepository(session)
        self._defaults = defaults

    async def all(self) -> list[Plan]:
        changed = await self._schedules.changed()
        return [await self._plan(kind, changed.get(kind)) for kind in self._defaults]

    async def change(self, kind: JobKind, values: Mapping[str, Any], changed_by: UUID) -> Plan:
        """Set `paused` or `every_seconds` (None: the default); raises NotFound without a schedule."""
        if kind not in self._defaults:
            raise NotFound("jobs of this kind have no schedule", code="SCHEDULE_NOT_FOUND")
        row = await self._schedules.for_change(kind)
        row.change(values, changed_by)
        return await self._plan(kind, row)

    async def request_due(self) -> datetime | None:
        """Request the jobs whose time has come; when the next one is due, None if none ever is."""
        await self._schedules.lock()
        upcoming = []
        for plan in await self.all():
            next_at = plan.next_at
            if next_at is not None and next_at <= datetime.now(UTC):
                await self._jobs.request(plan.kind)
                next_at = datetime.now(UTC) + timedelta(seconds=plan.every_seconds)
            if next_at is not None:
                upcoming.append(next_at)
        return min(upcoming, default=None)

    async def _plan(self, kind: JobKind, row: JobSchedule | None) -> Plan:
        default = self._defaults[kind]
        own = row.every_seconds if row is not None else None
        last = await self._jobs.last_request(kind)
        return Plan(kind, default if own is None else own, default, row is not None and row.paused, last)


class Scheduler:
    """The worker's side of the schedules. Each replica has one; the first to see a job due requests it."""

    def __init__(self, sessions: Sessions, defaults: Mapping[JobKind, float]) -> None:
        self._sessions, self._defaults = sessions, defaults

    async def run(self) -> None:
        """Request what is due until cancelled; after a failure, try again."""
        while True:
            try:
                next_at = await self.request_due()
            except Exception as error:
                # Whatever it is, the rest of the worker goes on: relay, consumers, purchases.
                log.warning("nothing is scheduled", exc_info=error)
                next_at = None
            await asyncio.sleep(_seconds_until(next_at))

    async def request_due(self) -> datetime | None:
        async with self._sessions.begin() as session:
            return await ScheduleService(session, self._defaults).request_due()


def _seconds_until(moment: datetime | None) -> float:
    """At most CHECK_SECONDS: people change schedules."""
    if moment is None:
        return CHECK_SECONDS
    return min(CHECK_SECONDS, max(0.05, (moment - datetime.now(UTC)).total_seconds()))

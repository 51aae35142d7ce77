"""The rules of schedules: who asks when; what people changed goes before the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import NotFound
from sim_service.jobs.models import JobKind
from sim_service.jobs.service import JobService
from sim_service.schedules.models import JobSchedule
from sim_service.schedules.repository import ScheduleRepository


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
        """When the next job is asked for; None: never."""
        if self.paused or not self.every_seconds:
            return None
        last = self.last_requested_at
        return last + timedelta(seconds=self.every_seconds) if last else datetime.now(UTC)


class ScheduleService:
    """The schedules. `defaults`: the period of each kind in seconds, as the settings say."""

    def __init__(self, session: AsyncSession, defaults: Mapping[JobKind, float]) -> None:
        self._jobs, self._schedules, self._defaults = (
            JobService(session),
            ScheduleRepository(session),
            defaults,
        )

    async def all(self) -> list[Plan]:
        """Every schedule."""
        changed = await self._schedules.changed()
        return [await self._plan(kind, changed.get(kind)) for kind in self._defaults]

    async def change(self, kind: JobKind, values: Mapping[str, Any], changed_by: UUID) -> Plan:
        """Set `paused` or `every_seconds` (None: the default); raises NotFound without a schedule."""
        if kind not in self._defaults:
            raise NotFound("jobs of this kind have no schedule", code="SCHEDULE_NOT_FOUND")
        row = await self._schedules.for_change(kind)
        row.change(values, changed_by)
        return await self._plan(kind, row)

    async def ask(self, only: JobKind | None = None) -> None:
        """Ask for the jobs (of one kind) whose time has come."""
        await self._schedules.lock()
        for plan in await self.all():
            due = plan.next_at is not None and plan.next_at <= datetime.now(UTC)
            if due and only in {None, plan.kind}:
                await self._jobs.request(plan.kind)

    async def _plan(self, kind: JobKind, row: JobSchedule | None) -> Plan:
        default = self._defaults[kind]
        own = row.every_seconds if row is not None else None
        last = await self._jobs.last_request(kind)
        return Plan(kind, default if own is None else own, default, row is not None and row.paused, last)


class Schedules:
    """The worker's side of the schedules."""

    def __init__(self, sessions: Sessions, defaults: Mapping[JobKind, float]) -> None:
        self._sessions, self._defaults = sessions, defaults

    async def look(self, only: JobKind | None = None) -> None:
        """Ask for what is due."""
        async with self._sessions.begin() as session:
            await ScheduleService(session, self._defaults).ask(only)

    async def upcoming(self) -> dict[JobKind, datetime]:
        """When the next job of each kind is due, for those that are neither paused nor off."""
        async with self._sessions() as session:
            plans = await ScheduleService(session, self._defaults).all()
        return {plan.kind: plan.next_at for plan in plans if plan.next_at is not None}

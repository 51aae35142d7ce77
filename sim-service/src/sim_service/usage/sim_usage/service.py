"""The rules of usage: kept beyond the carrier's six months, asked for again only where it can have grown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from uuid import UUID

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.outbox import Outbox
from fleet_kit.scope import Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.freshness import FALLBACK_ERRORS, Known
from sim_service.carrier.models import Priority, UsageDay
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.usage.sim_usage import events
from sim_service.usage.sim_usage.models import MEASURED, SimUsage, SimUsageHour, SimUsageState, measured
from sim_service.usage.sim_usage.ranges import Span
from sim_service.usage.sim_usage.repository import UsageRepository

_STILL_GROWING = timedelta(days=2)
"""A day can grow after midnight: roaming partners report late."""


Source = Literal["carrier", "streamer"]


@dataclass(frozen=True, slots=True)
class DayShown:
    usage: UsageDay
    source: Source


@dataclass(frozen=True, slots=True)
class Usage:
    """Every known day of a range, days without usage included."""

    iccid: str
    first: date
    last: date
    days: Sequence[DayShown]


class UsageService:
    """Usage as one organisation sees it. `fresh`: seconds for which it is not asked for again."""

    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._fresh = timedelta(seconds=fresh)

    async def check(self, iccid: str) -> UUID:
        """The owner of the SIM; raises NotFound, or Conflict for an unclaimed one."""
        async with self._sessions() as session:
            return owner_of(await SimService(session, self._scope).get(iccid))

    async def read(self, iccid: str, first: date, last: date, *, force: bool = False) -> Known[Usage]:
        """Usage of the range, newly asked for where it may have grown; else, and if that fails, as known."""
        owner = await self.check(iccid)
        async with self._sessions() as session:
            usage = UsageRepository(session, owner)
            state, not_before = await usage.state(iccid), await usage.not_before(iccid)
        failure: FleetError | None = None
        since = self._to_ask(state, max(first, not_before or first), last, force)
        if since is not None:
            try:
                await self.refresh(iccid, owner, since, Priority.INTERACTIVE)
            except FALLBACK_ERRORS as error:
                if state is None or force:
                    raise
                failure = error
        return await self._known(iccid, owner, first, last, failure)

    async def by_hour(self, iccid: str, span: Span) -> Sequence[SimUsageHour]:
        owner = await self.check(iccid)
        async with self._sessions() as session:
            return await UsageRepository(session, owner).hours(iccid, span.start, span.end)

    async def poll(self, iccid: str, owner: UUID) -> None:
        """Ask the carrier for all that it may know more of, as a job does; raises the carrier's errors."""
        async with self._sessions() as session:
            state = await UsageRepository(session, owner).state(iccid)
        since = self._oldest()
        if state is not None:
            since = max(since, state.fetched_at.date() - _STILL_GROWING)
        await self.refresh(iccid, owner, since, Priority.BACKGROUND)

    async def refresh(self, iccid: str, owner: UUID, since: date, priority: Priority) -> None:
        """Ask the carrier for what its owner used since a day and keep what is new; raises its errors."""
        async with self._sessions() as session:
            since = max(since, await UsageRepository(session, owner).not_before(iccid) or since)
        today = datetime.now(UTC).date()
        if since > today:
            return
        days = await self._carrier.usage(iccid, since, today, priority=priority)
        async with self._sessions.begin() as session:
            sim = await SimService(session, self._scope).get(iccid, for_update=True)
            if sim.organization_id != owner:
                return
            usage = UsageRepository(session, owner)
            kept = {row.day: measured(row) for row in await usage.between(iccid, since, today)}
            worth = [day for day in days if day.day in kept or day != UsageDay(day.day)]
            now = datetime.now(UTC)
            written = await usage.record(iccid, worth, now)
            await usage.note(iccid, since, now)
            grown = [row for row in written if kept.get(row.day) != measured(row)]
            await Outbox(session).add(*(events.recorded(row) for row in grown))

    def _to_ask(self, state: SimUsageState | None, first: date, last: date, force: bool) -> date | None:
        """The day since which the carrier has to be asked, None if what is known will do."""
        now = datetime.now(UTC)
        oldest = self._oldest()
        wanted = max(first, oldest)
        if state is None or wanted < state.known_from:
            return None if wanted > now.date() else wanted
        settled = state.fetched_at.date() - _STILL_GROWING
        if force:
            return max(oldest, min(wanted, settled))
        if last < settled or now - state.fetched_at < self._fresh:
            return None
        return max(oldest, state.known_from, settled)

    def _oldest(self) -> date:
        return datetime.now(UTC).date() - timedelta(days=self._carrier.usage_days_kept - 1)

    async def _known(
        self, iccid: str, owner: UUID, first: date, last: date, failure: FleetError | None
    ) -> Known[Usage]:
        async with self._sessions() as session:
            usage = UsageRepository(session, owner)
            rows = {row.day: row for row in await usage.between(iccid, first, last)}
            state = await usage.state(iccid)
        as_of = state.fetched_at if state else datetime.now(UTC)
        asked = (max(first, state.known_from), min(last, as_of.date())) if state else (last, first)
        span = range((asked[1] - asked[0]).days + 1)
        days = sorted({*rows, *(asked[0] + timedelta(days=number) for number in span)})
        shown = [_shown(day, rows.get(day)) for day in days]
        return Known(Usage(iccid, first, last, shown), as_of, failure)


def _shown(day: date, row: SimUsage | None) -> DayShown:
    if row is None:
        return DayShown(UsageDay(day), "carrier")
    streamed = any(getattr(row, f"streamed_{name}") for name in MEASURED)
    final = row.carrier_at is not None and row.carrier_at.date() > day
    source: Source = "streamer" if streamed and not final else "carrier"
    return DayShown(UsageDay(day, *measured(row)), source)

"""The rules of device volumes: whole hours that only grow, set beside the carrier's count of the same SIM."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_contracts.events import DeviceVolume
from fleet_kit.database import Sessions
from fleet_kit.scope import Scope
from sim_service.carrier.freshness import Known
from sim_service.usage.device_usage.repository import VolumeRepository
from sim_service.usage.sim_usage.ranges import Span
from sim_service.usage.sim_usage.service import UsageService


@dataclass(frozen=True, slots=True)
class DayCompared:
    """One UTC day. None: that side reported nothing."""

    day: date
    carrier_bytes: int | None
    device_bytes: int | None

    @property
    def difference_bytes(self) -> int | None:
        if self.carrier_bytes is None or self.device_bytes is None:
            return None
        return self.carrier_bytes - self.device_bytes


async def keep(session: AsyncSession, scope: Scope, volumes: Sequence[DeviceVolume]) -> None:
    """Keep what devices of one organisation reported; of two totals of an hour the larger one stays."""
    hours: dict[tuple[UUID, datetime], int] = {}
    for one in volumes:
        hour = one.hour.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        hours[one.id, hour] = max(one.data_bytes, hours.get((one.id, hour), 0))
    if hours:
        await VolumeRepository(session, scope).keep(hours)


class ComparisonService:
    def __init__(self, sessions: Sessions, usage: UsageService) -> None:
        self._sessions, self._usage = sessions, usage

    async def compare(self, iccid: str, span: Span) -> Known[list[DayCompared]]:
        """The carrier's bytes and the devices' own, day by day; as fresh as usage itself."""
        owner = await self._usage.check(iccid)
        known = await self._usage.read(iccid, span.first, span.last)
        async with self._sessions() as session:
            reported = await VolumeRepository(session, Scope(owner)).by_day(iccid, span.start, span.end)
        counted = {
            shown.usage.day: shown.usage.data_mo_bytes + shown.usage.data_mt_bytes
            for shown in known.value.days
        }
        days = [
            DayCompared(day, counted.get(day), reported.get(day)) for day in sorted({*counted, *reported})
        ]
        return Known(days, known.as_of, known.failure)

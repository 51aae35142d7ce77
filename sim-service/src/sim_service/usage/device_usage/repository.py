from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, cast, func, select
from sqlalchemy.dialects.postgresql import insert

from sim_service.inventory.sims.models import Sim
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.usage.device_usage.models import DeviceUsage

_TABLE = DeviceUsage.metadata.tables[DeviceUsage.__tablename__]


class VolumeRepository(ScopedRepository):
    async def keep(self, hours: Mapping[tuple[UUID, datetime], int]) -> None:
        """Keep the volume of each (device, hour), with the SIM that is in the device; none gets smaller."""
        sims = await self._sims({device for device, _ in hours})
        rows: list[dict[str, Any]] = [
            {
                "organization_id": self._scope.organization_id,
                "device_id": device,
                "hour": hour,
                "iccid": sims.get(device),
                "data_bytes": volume,
            }
            for (device, hour), volume in sorted(hours.items())
        ]
        statement = insert(_TABLE)
        fresh = statement.excluded
        grown = statement.on_conflict_do_update(
            index_elements=["organization_id", "device_id", "hour"],
            set_={"data_bytes": fresh.data_bytes, "iccid": func.coalesce(_TABLE.c.iccid, fresh.iccid)},
            where=fresh.data_bytes > _TABLE.c.data_bytes,
        )
        await (await self._session.connection()).execute(grown, rows)

    async def by_day(self, iccid: str, start: datetime, end: datetime) -> dict[date, int]:
        """Bytes of each UTC day of [start, end) that devices with this SIM in them reported."""
        day = cast(func.timezone("UTC", DeviceUsage.hour), Date)
        statement = (
            select(day, func.sum(DeviceUsage.data_bytes))
            .where(
                self._scope.where(DeviceUsage.organization_id),
                DeviceUsage.iccid == iccid,
                DeviceUsage.hour >= start,
                DeviceUsage.hour < end,
            )
            .group_by(day)
        )
        return {when: int(total) for when, total in await self._session.execute(statement)}

    async def _sims(self, devices: set[UUID]) -> dict[UUID, str]:
        statement = select(Sim.device_id, Sim.iccid).where(
            self._scope.where(Sim.organization_id), Sim.device_id.in_(devices)
        )
        return {device: iccid for device, iccid in await self._session.execute(statement) if device}

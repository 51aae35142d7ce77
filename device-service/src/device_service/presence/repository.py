from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, case, column, func, literal, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import TableValuedAlias

from device_service.devices.models import Device, DeviceStatus
from fleet_kit.database import UtcDateTime

LastSeen = Mapping[tuple[UUID, UUID], datetime]
"""Newest arrival by (organisation, device)."""


@dataclass(frozen=True, slots=True)
class DevicePresence:
    """A device after its status has been brought up to date."""

    organization_id: UUID
    device_id: UUID
    status: str
    last_seen: datetime

    @property
    def is_online(self) -> bool:
        """Whether it sent a message within the configured time."""
        return self.status == DeviceStatus.ONLINE


class PresenceRepository:
    """Bulk changes of `status` and `last_seen`, across organisations: nobody asked for them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, last_seen: LastSeen) -> dict[UUID, str]:
        """Lock the devices that sent a message, in one order everywhere; their status so far by id."""
        seen = _rows(last_seen)
        statement = (
            select(Device.id, Device.status)
            .join(seen, (Device.id == seen.c.id) & (Device.organization_id == seen.c.organization_id))
            .order_by(Device.id)
            .with_for_update(of=Device)
        )
        return {row.id: row.status for row in await self._session.execute(statement)}

    async def update_last_seen(self, last_seen: LastSeen, *, online_since: datetime) -> list[DevicePresence]:
        """Move `last_seen` forward, never back; online are those that sent a message since `online_since`.

        One that is online stays so: what it sent is no proof of its silence afterwards.
        """
        seen = _rows(last_seen)
        is_online = (seen.c.last_seen >= online_since) | (Device.status == DeviceStatus.ONLINE)
        status = case((is_online, DeviceStatus.ONLINE.value), else_=DeviceStatus.OFFLINE.value)
        statement = (
            update(Device)
            .where(
                Device.id == seen.c.id,
                Device.organization_id == seen.c.organization_id,
                Device.last_seen.is_(None) | (Device.last_seen < seen.c.last_seen),
            )
            .values(last_seen=seen.c.last_seen, status=status)
            .returning(Device.organization_id, Device.id, Device.status, Device.last_seen)
            .execution_options(synchronize_session=False)
        )
        return _seen((await self._session.execute(statement)).all())

    async def mark_offline(self, *, before: datetime, after: UUID, limit: int) -> list[DevicePresence]:
        """Set offline up to `limit` devices, beyond that id, whose last message is older than that moment."""
        silent = (
            select(Device.id)
            .where(Device.id > after, Device.status == DeviceStatus.ONLINE, Device.last_seen < before)
            .order_by(Device.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = (
            update(Device)
            .where(Device.id.in_(silent))
            .values(status=DeviceStatus.OFFLINE.value)
            .returning(Device.organization_id, Device.id, Device.status, Device.last_seen)
            .execution_options(synchronize_session=False)
        )
        return _seen((await self._session.execute(statement)).all())


def _rows(last_seen: LastSeen) -> TableValuedAlias:
    """The sightings as a table: three arrays, so that the statement is the same for any number."""
    arrays = (
        literal([organization for organization, _ in last_seen], ARRAY(Uuid)),
        literal([device for _, device in last_seen], ARRAY(Uuid)),
        literal(list(last_seen.values()), ARRAY(UtcDateTime)),
    )
    columns = (column("organization_id", Uuid), column("id", Uuid), column("last_seen", UtcDateTime))
    return func.unnest(*arrays).table_valued(*columns, name="heard").render_derived()


def _seen(rows: Sequence[Row[UUID, UUID, str, Any]]) -> list[DevicePresence]:
    return [DevicePresence(*row) for row in rows]

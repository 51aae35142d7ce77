from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.devices.models import Device
from device_service.devices.schemas import DeviceFilter
from fleet_kit.errors import invalid
from fleet_kit.pagination import PageParams, encode_cursor
from fleet_kit.schemas import check_json
from fleet_kit.scope import Scope

_MOMENTS = frozenset({"created_at", "updated_at"})


class DeviceRepository:
    """Queries of devices inside one scope."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def find(self, device_id: UUID, *, lock: bool = False) -> Device | None:
        """The device, None outside the scope; with `lock` nobody else changes it before the commit."""
        statement = select(Device).where(Device.id == device_id, self._scope.where(Device.organization_id))
        if lock:
            statement = statement.with_for_update()
        return (await self._session.scalars(statement)).one_or_none()

    def add(self, device: Device) -> None:
        """Insert at the next flush."""
        self._session.add(device)

    async def delete(self, device: Device) -> None:
        """Delete with everything below it at the next flush."""
        await self._session.delete(device)

    async def count(self, wanted: DeviceFilter) -> int:
        """How many devices pass the filter."""
        statement = select(func.count()).select_from(Device).where(*self._conditions(wanted))
        return await self._session.scalar(statement) or 0

    async def page(self, wanted: DeviceFilter, paging: PageParams) -> tuple[Sequence[Device], str | None]:
        """One page in the wanted order, and the cursor of the next one."""
        column = getattr(Device, wanted.column)
        order = [column, Device.id]
        statement = select(Device).where(*self._conditions(wanted))
        position = _position(wanted, paging)
        if position is None:
            statement = statement.offset(paging.offset)
        else:
            here = tuple_(*order)
            statement = statement.where(here < position if wanted.descending else here > position)
        statement = statement.order_by(*(item.desc() if wanted.descending else item for item in order))
        rows = (await self._session.scalars(statement.limit(paging.page_size + 1))).all()
        shown = rows[: paging.page_size]
        return shown, _cursor(wanted, shown[-1]) if len(rows) > len(shown) else None

    def _conditions(self, wanted: DeviceFilter) -> list[ColumnElement[bool]]:
        conditions = [self._scope.where(Device.organization_id)]
        for column, value in (
            (Device.type, wanted.type),
            (Device.status, wanted.status),
            (Device.iccid, wanted.iccid and wanted.iccid[:19]),
        ):
            if value is not None:
                conditions.append(column == value)
        if wanted.tags:
            conditions.append(Device.tags.contains(wanted.tags))
        if wanted.search:
            conditions.append(
                or_(
                    Device.name.icontains(wanted.search, autoescape=True),
                    Device.iccid.contains(wanted.search, autoescape=True),
                )
            )
        return conditions


def _cursor(wanted: DeviceFilter, last: Device) -> str:
    value = getattr(last, wanted.column)
    return encode_cursor(
        [wanted.sort, value.isoformat() if isinstance(value, datetime) else value, str(last.id)]
    )


def _position(wanted: DeviceFilter, paging: PageParams) -> tuple[Any, UUID] | None:
    values = paging.position(3)
    if values is None:
        return None
    sort, value, device_id = values
    try:
        if sort != wanted.sort:
            raise ValueError("another order")
        check_json(value, max_depth=0)
        return _sort_value(wanted.column, value), UUID(device_id)
    except (ValueError, TypeError, AttributeError):
        raise invalid("cursor", "not a cursor of this list") from None


def _sort_value(column: str, value: Any) -> Any:
    if not isinstance(value, str):
        raise TypeError("not a text")
    if column not in _MOMENTS:
        return value
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("without an offset")
    return moment

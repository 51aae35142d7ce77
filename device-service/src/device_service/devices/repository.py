from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.devices.models import Device
from device_service.devices.schemas import DeviceQuery
from fleet_kit.database import plan_by_value
from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope


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

    async def page(self, wanted: DeviceQuery, paging: PageParams) -> PageResult[Device]:
        """One page in the wanted order."""
        if wanted.search:
            await plan_by_value(self._session)
        statement = select(Device).where(*self._conditions(wanted))
        order = SortOrder(wanted.sort, getattr(Device, wanted.sort.removeprefix("-")), Device.id)
        return await find_page(self._session, statement, order, paging)

    def _conditions(self, wanted: DeviceQuery) -> list[ColumnElement[bool]]:
        conditions = [self._scope.where(Device.organization_id)]
        for column, value in (
            (Device.type, wanted.type),
            (Device.status, wanted.status),
            (Device.iccid, wanted.iccid and wanted.iccid[:19]),
        ):
            if value is not None:
                conditions.append(column == value)
        if wanted.tag:
            conditions.append(Device.tags.contains(wanted.tag))
        if wanted.search:
            conditions.append(_search(wanted.search))
        return conditions


def _search(term: str) -> ColumnElement[bool]:
    """Anywhere in name and ICCID. Postgres lowers both sides, which knows other letters than Python does."""
    escaped = term.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return Device.search_text.like(func.lower(f"%{escaped}%"), escape="/")

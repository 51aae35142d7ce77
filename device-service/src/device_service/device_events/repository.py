from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.device_events.models import DeviceEvent
from fleet_kit.errors import invalid
from fleet_kit.pagination import PageParams, encode_cursor
from fleet_kit.scope import Scope


class DeviceEventRepository:
    """Queries of one device's events inside one scope."""

    def __init__(self, session: AsyncSession, scope: Scope, device_id: UUID) -> None:
        self._session, self._scope, self._device_id = session, scope, device_id

    def add(self, event: DeviceEvent) -> None:
        """Insert at the next flush."""
        self._session.add(event)

    async def count(self, event_type: str | None) -> int:
        """How many events there are of that type, or of all."""
        statement = select(func.count()).select_from(DeviceEvent).where(*self._conditions(event_type))
        return await self._session.scalar(statement) or 0

    async def page(
        self, event_type: str | None, paging: PageParams
    ) -> tuple[Sequence[DeviceEvent], str | None]:
        """One page, newest first, and the cursor of the next one."""
        statement = select(DeviceEvent).where(*self._conditions(event_type))
        position = paging.position(1)
        if position is None:
            statement = statement.offset(paging.offset)
        else:
            statement = statement.where(DeviceEvent.id < _event_id(position[0]))
        statement = statement.order_by(DeviceEvent.id.desc()).limit(paging.page_size + 1)
        rows = (await self._session.scalars(statement)).all()
        shown = rows[: paging.page_size]
        return shown, encode_cursor([str(shown[-1].id)]) if len(rows) > len(shown) else None

    def _conditions(self, event_type: str | None) -> list[ColumnElement[bool]]:
        conditions = [
            DeviceEvent.device_id == self._device_id,
            self._scope.where(DeviceEvent.organization_id),
        ]
        return conditions if event_type is None else [*conditions, DeviceEvent.event_type == event_type]


def _event_id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise invalid("cursor", "not a cursor of this list") from None

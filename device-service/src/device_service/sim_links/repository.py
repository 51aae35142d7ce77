from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.devices.models import Device
from fleet_kit.scope import Scope


class SimLinkRepository:
    """Queries of the devices that a SIM's link touches, inside one scope."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def touched(self, iccid: str, device_id: UUID | None) -> Sequence[Device]:
        """The devices that name the SIM and the one that holds it, locked in one order everywhere."""
        statement = (
            select(Device)
            .where(
                self._scope.where(Device.organization_id),
                or_(Device.iccid == iccid, Device.id == device_id),
            )
            .order_by(Device.id)
            .with_for_update()
        )
        return (await self._session.scalars(statement)).all()

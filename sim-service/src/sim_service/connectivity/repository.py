"""Queries on `sim_connectivity`."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from sim_service.connectivity.models import SimConnectivity


class ConnectivityRepository:
    """Connectivity of one organisation's SIMs, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, iccid: str) -> SimConnectivity | None:
        """One SIM's."""
        statement = select(SimConnectivity).where(
            self._scope.where(SimConnectivity.organization_id), SimConnectivity.iccid == iccid
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    def add(self, connectivity: SimConnectivity) -> None:
        """A SIM that was asked about for the first time."""
        self._session.add(connectivity)

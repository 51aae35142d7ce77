from sim_service.lifecycle.connectivity.models import SimConnectivity
from sim_service.platform.scoped_repository import ScopedRepository


class ConnectivityRepository(ScopedRepository):
    async def get(self, iccid: str) -> SimConnectivity | None:
        return await self._one(self._owned(SimConnectivity).where(SimConnectivity.iccid == iccid))

"""The rules of connectivity: answered from what is known, asked for again when old or after a reset."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.freshness import Known, read_through
from sim_service.carrier.models import Priority
from sim_service.grants.models import Switch
from sim_service.grants.service import GrantService
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.lifecycle.connectivity.models import SimConnectivity
from sim_service.lifecycle.connectivity.repository import ConnectivityRepository


class ConnectivityService:
    """Connectivity as one organisation sees it. `fresh`: seconds for which it is not asked for again."""

    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._fresh = timedelta(seconds=fresh)

    async def read(self, iccid: str) -> Known[SimConnectivity]:
        """How the SIM stands, newly asked for where that is old; what is known where nobody can be asked."""
        row = await self.check(iccid)
        known = None if row is None or row.fetched_at is None else Known(row, row.fetched_at)
        reset_at = row.reset_requested_at if row else None
        reset_since = known is not None and reset_at is not None and reset_at > known.as_of
        return await read_through(
            known,
            timedelta(0) if reset_since else self._fresh,
            lambda: self.refresh(iccid, Priority.INTERACTIVE),
        )

    async def refresh(self, iccid: str, priority: Priority) -> Known[SimConnectivity]:
        """Ask the carrier and keep its answer; raises its errors."""
        facts = await self._carrier.connectivity(iccid, priority=priority)
        async with self._sessions.begin() as session:
            connectivity = await _row(session, self._scope, iccid)
            return Known(connectivity, connectivity.update_from_carrier(facts))

    async def cell(self, iccid: str) -> Known[SimConnectivity]:
        """The cell, asked of the visited network, which knows one only while on 2G or 3G."""
        row = await self.check(iccid)
        known = None if row is None or row.cell_fetched_at is None else Known(row, row.cell_fetched_at)
        return await read_through(known, timedelta(0), lambda: self._refresh_cell(iccid))

    async def reset(self, iccid: str) -> datetime:
        """Have the SIM log in to the network anew; when that was asked for.

        Raises NotFound, Forbidden NOT_GRANTED, the carrier's errors.
        """
        async with self._sessions() as session:
            owner = owner_of(await SimService(session, self._scope).get(iccid))
            await GrantService(session).require(owner, Switch.RESETS)
        await self._carrier.reset(iccid, priority=Priority.INTERACTIVE)
        async with self._sessions.begin() as session:
            connectivity = await _row(session, self._scope, iccid)
            connectivity.reset_requested_at = datetime.now(UTC)
            return connectivity.reset_requested_at

    async def check(self, iccid: str) -> SimConnectivity | None:
        """The row, if there is one; raises NotFound, or Conflict for an unclaimed SIM."""
        async with self._sessions() as session:
            owner_of(await SimService(session, self._scope).get(iccid))
            return await ConnectivityRepository(session, self._scope).get(iccid)

    async def _refresh_cell(self, iccid: str) -> Known[SimConnectivity]:
        cell = await self._carrier.cell_info(iccid, priority=Priority.INTERACTIVE)
        async with self._sessions.begin() as session:
            row = await _row(session, self._scope, iccid)
            return Known(row, row.take_cell(cell))


async def _row(session: AsyncSession, scope: Scope, iccid: str) -> SimConnectivity:
    """The SIM's row, under the lock of the SIM; emptied if its owner changed."""
    owner = owner_of(await SimService(session, scope).get(iccid, for_update=True))
    connectivities = ConnectivityRepository(session, EVERYTHING)
    row = await connectivities.get(iccid)
    if row is None:
        row = SimConnectivity(iccid=iccid)
        connectivities.add(row)
    if row.organization_id != owner:
        row.begin(owner)
    return row

"""HTTP: where a SIM is, and having it log in anew."""

from typing import Annotated

from fastapi import APIRouter, Depends

from fleet_kit.principal import CurrentUser, Role
from sim_service.carrier.dependencies import AppCarrier
from sim_service.lifecycle.connectivity.schemas import CellOut, ConnectivityOut, ResetOut
from sim_service.lifecycle.connectivity.service import ConnectivityService
from sim_service.platform.dependencies import AppSessions, AppSettings
from sim_service.platform.iccid_path import IccidPath

router = APIRouter(tags=["connectivity"])


async def _connectivity(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> ConnectivityService:
    return ConnectivityService(sessions, user.scope, carrier, fresh=settings.connectivity_fresh_seconds)


Connectivity = Annotated[ConnectivityService, Depends(_connectivity)]


@router.get("/sims/{iccid}/connectivity")
async def read_connectivity(
    iccid: IccidPath, connectivity: Connectivity, settings: AppSettings
) -> ConnectivityOut:
    """How a SIM stands in the network, with the answer's age; asked of the carrier again when it is old."""
    return ConnectivityOut.of(await connectivity.read(iccid), settings.attached_trusted_seconds)


@router.get("/sims/{iccid}/connectivity/cell")
async def read_cell(iccid: IccidPath, connectivity: Connectivity) -> CellOut:
    """The cell of a device on 2G or 3G, asked of the visited network now."""
    return CellOut.of(await connectivity.cell(iccid))


@router.post("/sims/{iccid}/connectivity/reset", status_code=202)
async def reset_connectivity(iccid: IccidPath, user: CurrentUser, connectivity: Connectivity) -> ResetOut:
    """Have the device log in to the network anew; 503 while the carrier is away."""
    await connectivity.check(iccid)
    user.require(Role.OPERATOR)
    return ResetOut(iccid=iccid, reset_requested_at=await connectivity.reset(iccid))

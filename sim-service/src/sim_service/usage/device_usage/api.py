"""HTTP: the carrier's count of a SIM's bytes beside the device's own."""

from fastapi import APIRouter

from sim_service.platform.dependencies import AppSessions
from sim_service.platform.iccid_path import IccidPath
from sim_service.usage.device_usage.schemas import ComparisonOut
from sim_service.usage.device_usage.service import ComparisonService
from sim_service.usage.sim_usage.api import Usages
from sim_service.usage.sim_usage.ranges import DayRange

router = APIRouter(tags=["usage"])


@router.get("/sims/{iccid}/usage/comparison")
async def compare_usage(
    iccid: IccidPath, wanted: DayRange, usage: Usages, sessions: AppSessions
) -> ComparisonOut:
    """Day by day: what the carrier counted, and what the device in which the SIM is reported itself."""
    known = await ComparisonService(sessions, usage).compare(iccid, wanted)
    return ComparisonOut.of(iccid, wanted, known)

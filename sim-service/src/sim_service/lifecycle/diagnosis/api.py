"""HTTP: why is this SIM silent?"""

from typing import Annotated

from fastapi import APIRouter, Depends

from fleet_kit.principal import CurrentUser
from sim_service.carrier.dependencies import AppCarrier
from sim_service.lifecycle.diagnosis.schemas import DiagnosisOut
from sim_service.lifecycle.diagnosis.service import DiagnosisService
from sim_service.platform.dependencies import AppSessions, AppSettings
from sim_service.platform.iccid_path import IccidPath

router = APIRouter(tags=["diagnosis"])


async def _diagnoses(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> DiagnosisService:
    return DiagnosisService(sessions, user.scope, carrier, settings)


@router.get("/sims/{iccid}/diagnosis")
async def read_diagnosis(
    iccid: IccidPath, diagnoses: Annotated[DiagnosisService, Depends(_diagnoses)]
) -> DiagnosisOut:
    """Why the SIM or its device is silent, or that all is well; while the carrier is away, as last known."""
    return DiagnosisOut.of(await diagnoses.diagnose(iccid))

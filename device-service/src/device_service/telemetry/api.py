from fastapi import APIRouter, Request, status

from device_service.credentials.access import CurrentReporter
from device_service.telemetry.schemas import AcceptedOut, request_body
from device_service.telemetry.service import TelemetryService
from fleet_kit.errors import TooManyRequests
from fleet_kit.openapi import raises

router = APIRouter(prefix="/devices/{device_id}/telemetry", tags=["telemetry"])


@router.post("", status_code=status.HTTP_202_ACCEPTED, openapi_extra=request_body())
@raises(TooManyRequests)
async def send_telemetry(reporter: CurrentReporter, request: Request) -> AcceptedOut:
    """Send one reading or up to 1,000, with the device's own key or an operator's token."""
    service: TelemetryService = request.app.state.telemetry
    ids = await service.accept(reporter.device_id, reporter.organization_id, await request.body())
    return AcceptedOut(accepted=len(ids), ids=ids)

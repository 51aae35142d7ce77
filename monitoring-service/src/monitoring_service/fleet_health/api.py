"""HTTP inside the fleet: is everything well? The gateway's /health asks here."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from fleet_kit.health import health_response
from monitoring_service.fleet_health.service import FleetHealth

router = APIRouter()


@router.get("/fleet-health")
async def fleet_health(request: Request) -> JSONResponse:
    """200 unless a service or worker is unavailable, then 503; both name each of them."""
    fleet: FleetHealth = request.app.state.fleet_health
    return health_response(*await fleet.report())

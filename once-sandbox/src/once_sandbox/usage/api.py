"""/v1/sims/{iccid}/usage, which v2 does not have."""

from datetime import date

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentWorld
from once_sandbox.errors import ApiError
from once_sandbox.sims.service import owned
from once_sandbox.usage import service
from once_sandbox.usage.schemas import usage_report

router = APIRouter(tags=["SIM Usage"])


@router.get("/v1/sims/{iccid}/usage")
async def read_usage(
    iccid: str, world: CurrentWorld, start_dt: str | None = None, end_dt: str | None = None
) -> JSONResponse:
    """Daily usage between two days, both included; a reversed range has only its TOTAL of zero."""
    sim = owned(world, iccid)
    today = world.clock.today()
    first = _day("start_dt", start_dt) or service.kept_since(today)
    last = _day("end_dt", end_dt) or today
    return JSONResponse(usage_report(service.usage_days(world, sim, first, last), world.behaviours))


def _day(name: str, raw: str | None) -> date | None:
    if not raw:
        return None
    try:
        return date.fromisoformat(raw)
    except ValueError:
        raise ApiError(400, f"{name}: '{raw[:40]}' is not a date of the form YYYY-MM-DD") from None

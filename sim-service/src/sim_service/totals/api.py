"""HTTP: usage of whole organisations and of tags, and the SIMs that used most."""

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.pagination import Paging
from fleet_kit.principal import CurrentUser
from sim_service.totals.repository import Metric
from sim_service.totals.schemas import Limit, TopOut, TotalsOut, TotalsWanted
from sim_service.totals.service import TotalsService
from sim_service.usage.api import AppPrices
from sim_service.usage.ranges import DayRange

router = APIRouter(tags=["usage"])


@router.get("/sims/usage")
async def read_totals(
    user: CurrentUser, session: DbSession, wanted: TotalsWanted, paging: Paging, prices: AppPrices
) -> TotalsOut:
    """Sums of all SIMs by hour, day or month, of the organisation or of each tag; by hour as streamed."""
    found = await TotalsService(session, user.scope).find(wanted, paging)
    return TotalsOut.of(wanted, found, paging, prices)


@router.get("/sims/usage/top")
async def read_top(
    user: CurrentUser,
    session: DbSession,
    span: DayRange,
    prices: AppPrices,
    metric: Metric = Metric.DATA,
    limit: Limit = 10,
) -> TopOut:
    """The SIMs that used most in the range, by bytes or by messages."""
    return TopOut.of(span, metric, await TotalsService(session, user.scope).top(span, metric, limit), prices)

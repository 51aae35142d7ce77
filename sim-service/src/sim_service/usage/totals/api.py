"""HTTP: usage of whole organisations and of tags, and the SIMs that used most."""

from fastapi import APIRouter

from fleet_kit.database import DbSession
from fleet_kit.pagination import Paging
from fleet_kit.principal import CurrentUser
from sim_service.usage.sim_usage.api import AppPrices
from sim_service.usage.sim_usage.ranges import DayRange
from sim_service.usage.totals.repository import Metric, TotalsRepository
from sim_service.usage.totals.schemas import Limit, TopOut, TotalsOut, TotalsQueryParams
from sim_service.usage.totals.service import TotalsService

router = APIRouter(tags=["usage"])


@router.get("/sims/usage")
async def read_totals(
    user: CurrentUser, session: DbSession, wanted: TotalsQueryParams, paging: Paging, prices: AppPrices
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
    rows = await TotalsRepository(session, user.scope).top(span, metric, limit)
    return TopOut.of(span, metric, rows, prices)

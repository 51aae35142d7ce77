"""HTTP: figures at a glance."""

from fastapi import APIRouter, Request

from fleet_kit.principal import CurrentUser
from monitoring_service.stats.schemas import StatsOut
from monitoring_service.stats.service import StatsQueries
from monitoring_service.store.request_reads import RequestReads

router = APIRouter(prefix="/monitoring/stats", tags=["stats"])


@router.get("")
async def read_stats(user: CurrentUser, request: Request, reads: RequestReads) -> StatsOut:
    """Figures of one's own organisation; of the whole platform for its administrator.

    Those of devices may be a while old where many are counted, `rejected` a few too many above 2,000, and in
    `readings_total` readings may still be counted for an hour or longer after their deletion.
    """
    queries: StatsQueries = request.app.state.stats
    return await queries.read(user, reads)

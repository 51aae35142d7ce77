"""HTTP: figures at a glance."""

from datetime import timedelta

from fastapi import APIRouter, Request

from fleet_kit.principal import CurrentUser
from monitoring_service.stats import service
from monitoring_service.stats.schemas import StatsOut

router = APIRouter(prefix="/monitoring/stats", tags=["stats"])


@router.get("")
async def read_stats(user: CurrentUser, request: Request) -> StatsOut:
    """Figures of one's own organisation; of the whole platform for its administrator."""
    state = request.app.state
    offline_after = timedelta(seconds=state.settings.device_offline_after_seconds)
    return await service.stats(state.store, state.counts, user.scope, offline_after)

"""For how long what is kept."""

from sim_service.cache.service import Read
from sim_service.settings import CacheSettings


def lives(settings: CacheSettings) -> dict[Read, float]:
    """Seconds for which answers are kept."""
    return {
        Read.SIM_LIST: settings.cache_sim_list_seconds,
        Read.SIM: settings.cache_sim_seconds,
        Read.USAGE: settings.cache_usage_seconds,
        Read.QUOTA: settings.cache_quota_seconds,
    }

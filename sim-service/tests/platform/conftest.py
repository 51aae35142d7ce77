"""The read cache for tests."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from sim_service.platform.cache.service import ReadCache
from sim_service.platform.cache.store import CacheStore

from ..support import Fleet
from .cache_support import TTL


@pytest.fixture
async def cache(fleet: Fleet, redis: Redis) -> AsyncIterator[ReadCache]:
    """The API with its cache switched on."""
    found = ReadCache(CacheStore(redis), TTL)
    fleet.app.state.cache = found
    yield found
    fleet.app.state.cache = fleet.app.state.resources.cache

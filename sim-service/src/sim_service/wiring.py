"""What both processes hold open; tests replace pieces here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.database import Sessions, create_engine, create_sessions
from sim_service.carrier.base import Carrier
from sim_service.carrier.once import push_stream
from sim_service.carrier.once.build import open_once
from sim_service.carrier.once.push_sms import SmsForwarderReader
from sim_service.carrier.push_sms import SmsPushReader
from sim_service.lifecycle.network_events.service import NetworkEventService
from sim_service.platform.cache.invalidation import invalidate_on_commit
from sim_service.platform.cache.service import CachedRead, ReadCache
from sim_service.platform.cache.store import CacheStore
from sim_service.settings import CacheSettings, Settings
from sim_service.usage.streamer.service import StreamReceiver

SMS_PUSH_READER: SmsPushReader = SmsForwarderReader()


@dataclass(frozen=True)
class Resources:
    """The database, the carrier and the cache of what was read."""

    engine: AsyncEngine
    sessions: Sessions
    carrier: Carrier
    cache: ReadCache

    async def check_database(self) -> None:
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))


@asynccontextmanager
async def open_resources(settings: Settings, redis: Redis, name: str) -> AsyncIterator[Resources]:
    engine = create_engine(settings, name=name)
    try:
        async with open_once(settings, redis) as carrier:
            sessions, store = create_sessions(engine), CacheStore(redis)
            invalidate_on_commit(sessions, store)
            yield Resources(engine, sessions, carrier, ReadCache(store, cache_ttl(settings)))
    finally:
        await engine.dispose()


def open_stream_receiver(settings: Settings, resources: Resources) -> StreamReceiver:
    return StreamReceiver(
        resources.sessions,
        push_stream.read,
        NetworkEventService.store,
        kept_days=settings.stream_records_kept_days,
        publish_after=settings.usage_tell_seconds,
    )


def cache_ttl(settings: CacheSettings) -> dict[CachedRead, float]:
    """Seconds for which answers are cached; 0: not at all."""
    return {read: getattr(settings, f"cache_{read}_seconds") for read in CachedRead}

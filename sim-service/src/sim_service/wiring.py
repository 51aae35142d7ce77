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
from sim_service.platform.subprocess_pool import SubprocessPool
from sim_service.settings import CacheSettings, Settings, SpreadsheetSettings
from sim_service.usage.streamer.service import StreamReceiver

SMS_PUSH_READER: SmsPushReader = SmsForwarderReader()


@dataclass(frozen=True)
class Resources:
    """The database, the carrier, the cache of what was read, and the processes for spreadsheets."""

    engine: AsyncEngine
    sessions: Sessions
    carrier: Carrier
    cache: ReadCache
    spreadsheets: SubprocessPool

    async def check_database(self) -> None:
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))


@asynccontextmanager
async def open_resources(settings: Settings, redis: Redis, name: str) -> AsyncIterator[Resources]:
    engine = create_engine(settings, name=name)
    try:
        async with open_once(settings, redis) as carrier:
            sessions, store = create_sessions(engine), open_cache_store(redis, settings)
            invalidate_on_commit(sessions, store)
            cache = ReadCache(store, cache_ttl(settings))
            yield Resources(engine, sessions, carrier, cache, open_spreadsheets(settings))
    finally:
        await engine.dispose()


def open_spreadsheets(settings: SpreadsheetSettings) -> SubprocessPool:
    return SubprocessPool(
        settings.spreadsheet_processes,
        memory_mib=settings.spreadsheet_memory_mib,
        wait=settings.spreadsheet_wait_seconds,
    )


def open_stream_receiver(settings: Settings, resources: Resources) -> StreamReceiver:
    return StreamReceiver(
        resources.sessions,
        push_stream.read,
        NetworkEventService.store,
        kept_days=settings.stream_records_kept_days,
        publish_after=settings.usage_tell_seconds,
    )


def open_cache_store(redis: Redis, settings: CacheSettings) -> CacheStore:
    return CacheStore(redis, longest_seconds=max(cache_ttl(settings).values()))


def cache_ttl(settings: CacheSettings) -> dict[CachedRead, float]:
    """Seconds for which answers are cached; 0: not at all."""
    return {read: getattr(settings, f"cache_{read}_seconds") for read in CachedRead}

"""What both processes hold open; tests replace pieces here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_kit.database import Sessions, create_engine, create_sessions
from sim_service.cache.lives import lives
from sim_service.cache.service import ReadCache
from sim_service.cache.store import Store
from sim_service.cache.watch import watch
from sim_service.carrier.base import Carrier
from sim_service.carrier.once import streamer
from sim_service.carrier.once.build import open_once
from sim_service.carrier.once.forwarder import Forwarder
from sim_service.events.service import EventService
from sim_service.push.service import Streams
from sim_service.settings import Settings
from sim_service.sms.forwarder import SmsForwarder


@dataclass(frozen=True)
class Resources:
    """The database, the carrier and the cache of what was read."""

    engine: AsyncEngine
    sessions: Sessions
    carrier: Carrier
    cache: ReadCache

    async def check_database(self) -> None:
        """Raise if the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))


@asynccontextmanager
async def open_resources(settings: Settings, redis: Redis, name: str) -> AsyncIterator[Resources]:
    """Open them, close them at the end."""
    engine = create_engine(settings, name=name)
    try:
        async with open_once(settings, redis) as carrier:
            sessions, cache = create_sessions(engine), ReadCache(Store(redis), lives(settings))
            watch(sessions, cache)
            yield Resources(engine, sessions, carrier, cache)
    finally:
        await engine.dispose()


def open_streams(settings: Settings, resources: Resources) -> Streams:
    """What takes the carrier's pushes."""
    return Streams(
        resources.sessions,
        streamer.read,
        EventService.store,
        kept_days=settings.stream_records_kept_days,
        tell=settings.usage_tell_seconds,
    )


def open_forwarder(resources: Resources) -> SmsForwarder:
    """What takes the messages that the carrier pushes."""
    return SmsForwarder(resources.sessions, Forwarder())

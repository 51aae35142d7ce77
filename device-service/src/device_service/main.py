"""The API: what is switched on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import text

from device_service.broker import api as broker
from device_service.broker.service import BrokerService
from device_service.cache import ReadCache
from device_service.configuration import api as configuration
from device_service.credentials import api as credentials
from device_service.credentials.service import CACHE_SECONDS, Authenticator
from device_service.device_events import api as device_events
from device_service.devices import api as devices
from device_service.devices import read as device_read
from device_service.devices.changes import Caches
from device_service.presence import api as presence
from device_service.registration import api as registration
from device_service.settings import DeviceSettings
from device_service.telemetry import api as telemetry
from device_service.telemetry.service import TelemetryService
from fleet_kit.app import create_app
from fleet_kit.batched_reads import BatchedReads
from fleet_kit.bootstrap import open_clients
from fleet_kit.database import create_engine, create_sessions
from fleet_kit.health import Check

DEVICE_CACHE_SECONDS = 30
NAME = "device-service"


def caches(redis: Redis, reads: BatchedReads) -> Caches:
    """The copies that the API and the worker share in Redis."""
    return Caches(
        devices=ReadCache(redis, reads, "device:body:", DEVICE_CACHE_SECONDS),
        credentials=ReadCache(redis, reads, "device:key:", CACHE_SECONDS),
    )


def create(settings: DeviceSettings) -> FastAPI:
    """The application with everything that it needs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_engine(settings, name=NAME)
        async with open_clients(settings, NAME) as clients:
            state = app.state
            state.engine, state.sessions = engine, create_sessions(engine)
            state.verifier, state.publisher, state.redis = clients.verifier, clients.publisher, clients.redis
            state.caches = caches(clients.redis, clients.denylist.reads)
            state.authenticator = Authenticator(state.sessions, state.caches.credentials)
            state.broker = BrokerService(state.authenticator, settings.broker_vhost)
            state.telemetry = TelemetryService(clients.publisher)
            yield
        await engine.dispose()

    features = (
        device_read,
        registration,
        devices,
        presence,
        configuration,
        credentials,
        device_events,
        telemetry,
    )
    return create_app(
        service="device",
        settings=settings,
        routers=[feature.router for feature in features],
        internal=[broker.router],
        lifespan=lifespan,
        checks=_checks,
    )


def _checks(app: FastAPI) -> Mapping[str, Check]:
    async def postgres() -> None:
        async with app.state.sessions() as session:
            await session.execute(text("SELECT 1"))

    return {"postgres": postgres, "redis": app.state.redis.ping, "broker": app.state.publisher.check}

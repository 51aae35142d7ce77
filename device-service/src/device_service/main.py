"""The API: what is switched on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import text

from device_service.broker import api as broker
from device_service.broker.service import BrokerService
from device_service.broker.session_limit import SessionLimit
from device_service.broker.telemetry_throttle import TelemetryThrottle
from device_service.broker_sessions.management import broker_management
from device_service.cache import ReadCache
from device_service.configuration import api as configuration
from device_service.credentials import api as credentials
from device_service.credentials.service import CACHE_SECONDS, Authenticator
from device_service.device_events import api as device_events
from device_service.device_events.models import DEVICE_EVENTS
from device_service.device_events.service import delete_with_device
from device_service.devices import api as devices
from device_service.devices import read as device_read
from device_service.devices.access import limits_of
from device_service.devices.changes import Caches
from device_service.devices.service import DEVICES
from device_service.presence import api as presence
from device_service.registration import api as registration
from device_service.settings import DeviceSettings
from device_service.telemetry import api as telemetry
from device_service.telemetry.service import TelemetryService
from fleet_kit.allowances import Allowances
from fleet_kit.app import create_app
from fleet_kit.batched_reads import BatchedReads
from fleet_kit.bootstrap import open_clients
from fleet_kit.database import create_engine, create_sessions
from fleet_kit.health import Check
from fleet_kit.limits import Defaults, limits_router

DEVICE_CACHE_SECONDS = 30
BODY_SLOTS = 16_384
KEY_SLOTS = 65_536
NAME = "device-service"


def caches(redis: Redis, reads: BatchedReads) -> Caches:
    """The copies that the API and the worker share in Redis."""
    return Caches(
        devices=ReadCache(redis, reads, "device:body:", DEVICE_CACHE_SECONDS, slots=BODY_SLOTS),
        credentials=ReadCache(redis, reads, "device:key:", CACHE_SECONDS, slots=KEY_SLOTS),
    )


def create(settings: DeviceSettings) -> FastAPI:
    """The application with everything that it needs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_engine(settings, name=NAME)
        async with open_clients(settings, NAME) as clients, broker_management(settings) as management:
            state = app.state
            state.engine, state.sessions = engine, create_sessions(engine)
            state.verifier, state.publisher, state.redis = clients.verifier, clients.publisher, clients.redis
            state.caches = caches(clients.redis, clients.denylist.reads)
            state.authenticator = Authenticator(state.sessions, state.caches.credentials)
            limit = _session_limit(settings, clients.redis, management)
            throttle = TelemetryThrottle(clients.redis)
            state.broker = BrokerService(state.authenticator, limit, throttle, settings.devices_vhost)
            bytes_, events = _allowances(settings)
            state.telemetry, state.event_allowances = TelemetryService(clients.publisher, bytes_), events
            state.limits = _limits(settings)
            state.counted_below_devices = {DEVICE_EVENTS: delete_with_device}
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
        routers=[*(feature.router for feature in features), limits_router("/devices/limits", limits_of)],
        internal=[broker.router],
        lifespan=lifespan,
        checks=_checks,
    )


def _limits(settings: DeviceSettings) -> Defaults:
    return {
        DEVICES: settings.devices_per_organization,
        DEVICE_EVENTS: settings.device_events_per_organization,
    }


def _session_limit(settings: DeviceSettings, redis: Redis, management: httpx.AsyncClient) -> SessionLimit:
    of_all, of_one = settings.mqtt_max_connections, settings.device_max_sessions
    return SessionLimit(redis, management, per_device=of_one, max_sessions=of_all)


def _allowances(settings: DeviceSettings) -> tuple[Allowances[UUID], Allowances[UUID]]:
    """Of bytes of readings, and of events."""
    return (
        Allowances(settings.telemetry_bytes_per_second, settings.telemetry_http_burst_bytes),
        Allowances(settings.device_events_per_second, settings.device_events_burst),
    )


def _checks(app: FastAPI) -> Mapping[str, Check]:
    async def postgres() -> None:
        async with app.state.sessions() as session:
            await session.execute(text("SELECT 1"))

    return {"postgres": postgres, "redis": app.state.redis.ping, "broker": app.state.publisher.check}

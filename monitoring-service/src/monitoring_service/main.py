"""The API: what is switched on."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import socketio
from fastapi import FastAPI

from fleet_contracts.events import TokenRevokedData
from fleet_kit.app import create_app
from fleet_kit.bootstrap import open_clients
from fleet_kit.health import Check
from monitoring_service.fleet_health import api as fleet_health
from monitoring_service.latest import api as latest
from monitoring_service.live.feed_loop import LiveLoop
from monitoring_service.live.resume_limit import ResumeLimit
from monitoring_service.live.service import LiveFeed
from monitoring_service.live.transport import PATH, SocketIoTransport, connect_handlers
from monitoring_service.readings import api as readings
from monitoring_service.rejected import api as rejected
from monitoring_service.settings import Settings
from monitoring_service.stats import api as stats
from monitoring_service.store.client import Store, open_store
from monitoring_service.store.counts import Counts
from monitoring_service.store.sequence import StorageSequence

NAME = "monitoring-service"


def create(settings: Settings) -> socketio.ASGIApp:
    """The application with everything that it needs: REST beside Socket.IO."""
    transport = SocketIoTransport()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store = open_store(
            settings.mongo_url.get_secret_value(),
            settings.mongo_database,
            timeout_seconds=settings.mongo_timeout_seconds,
        )
        sequence = StorageSequence(store)
        counts = Counts(store, sequence)
        feed = _feed(settings, store, sequence, counts, transport)

        async def on_revoked(data: TokenRevokedData) -> None:
            await feed.drop_revoked(data)

        async with open_clients(settings, NAME, on_revoked=on_revoked) as clients:
            state = app.state
            state.settings, state.store, state.counts, state.feed = settings, store, counts, feed
            state.verifier, state.http, state.redis = clients.verifier, clients.http, clients.redis
            state.checks, state.neighbours = {"store": store.check}, _neighbours(settings)
            connect_handlers(transport, feed, clients.verifier)
            live = LiveLoop(feed, settings.redis_url.get_secret_value(), clients.denylist)
            async with _in_background(live.run()):
                yield
        store.close()

    app = create_app(
        service="monitoring",
        settings=settings,
        routers=[feature.router for feature in (readings, latest, stats, rejected)],
        internal=[fleet_health.router],
        lifespan=lifespan,
        checks=_checks,
    )
    return socketio.ASGIApp(transport.server, other_asgi_app=app, socketio_path=PATH)


@asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _neighbours(settings: Settings) -> dict[str, str]:
    return {
        "signing-service": settings.signing_url,
        "device-service": settings.device_url,
        "sim-service": settings.sim_url,
    }


def _feed(
    settings: Settings, store: Store, sequence: StorageSequence, counts: Counts, transport: SocketIoTransport
) -> LiveFeed:
    kept = timedelta(days=min(settings.live_retention_days, settings.telemetry_retention_days))
    return LiveFeed(
        store,
        sequence,
        transport,
        ResumeLimit(counts, kept=kept, most=settings.live_catch_up_readings),
        queue_packets=settings.live_queue_packets,
        slow_seconds=settings.live_slow_seconds,
    )


def _checks(app: FastAPI) -> Mapping[str, Check]:
    # Redis is only a notifier and a fast copy here: without it data and feed go on.
    checks: Mapping[str, Check] = app.state.checks
    return checks

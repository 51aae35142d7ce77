"""The API: what is switched on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import socketio
from fastapi import FastAPI

from fleet_contracts.events import TokenRevokedData
from fleet_kit.app import create_app
from fleet_kit.bootstrap import open_common
from fleet_kit.health import Check
from monitoring_service.fleet_health import api as fleet_health
from monitoring_service.latest import api as latest
from monitoring_service.live.gaps import GapRule
from monitoring_service.live.loop import LiveLoop
from monitoring_service.live.service import LiveFeed
from monitoring_service.live.transport import PATH, SocketIoTransport, connect_handlers
from monitoring_service.readings import api as readings
from monitoring_service.rejected import api as rejected
from monitoring_service.settings import Settings
from monitoring_service.stats import api as stats
from monitoring_service.store.client import Store, open_store
from monitoring_service.store.counts import Counts
from monitoring_service.store.sequence import Sequence

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
        clock = Sequence(store)
        counts = Counts(store, clock)
        feed = _feed(settings, store, clock, counts, transport)

        async def on_revoked(data: TokenRevokedData) -> None:
            await feed.drop_revoked(data)

        async with open_common(settings, NAME, on_revoked=on_revoked) as common:
            state = app.state
            state.settings, state.store, state.counts, state.feed = settings, store, counts, feed
            state.verifier, state.http, state.redis = common.verifier, common.http, common.redis
            state.checks = {"store": store.check}
            state.neighbours = {
                "signing-service": settings.signing_url,
                "device-service": settings.device_url,
                "sim-service": settings.sim_url,
            }
            connect_handlers(transport, feed, common.verifier)
            live = LiveLoop(feed, settings.redis_url.get_secret_value(), common.denylist)
            task = asyncio.create_task(live.run())
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
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


def _feed(
    settings: Settings, store: Store, clock: Sequence, counts: Counts, transport: SocketIoTransport
) -> LiveFeed:
    kept = timedelta(days=min(settings.live_retention_days, settings.telemetry_retention_days))
    return LiveFeed(
        store,
        clock,
        transport,
        GapRule(counts, kept=kept, most=settings.live_catch_up_readings),
        queue_packets=settings.live_queue_packets,
        slow_seconds=settings.live_slow_seconds,
    )


def _checks(app: FastAPI) -> Mapping[str, Check]:
    # Redis is only a hint and a fast copy here: without it data and feed go on.
    checks: Mapping[str, Check] = app.state.checks
    return checks

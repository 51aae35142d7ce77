"""The API: what is switched on."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import socketio
from fastapi import FastAPI

from fleet_kit.app import create_app
from fleet_kit.bootstrap import open_clients
from fleet_kit.health import Check
from fleet_kit.middleware import App
from monitoring_service.fleet_health import api as fleet_health
from monitoring_service.fleet_health.service import open_fleet_health
from monitoring_service.latest import api as latest
from monitoring_service.live.connection_limit import ConnectionLimit
from monitoring_service.live.feed_loop import LiveLoop
from monitoring_service.live.gate import PATH, LiveGate
from monitoring_service.live.resume_limit import ResumeLimit
from monitoring_service.live.service import LiveFeed
from monitoring_service.live.subscribe_rate import SubscribeRate
from monitoring_service.live.transport import SocketIoTransport, connect_handlers
from monitoring_service.readings import api as readings
from monitoring_service.rejected import api as rejected
from monitoring_service.settings import Settings
from monitoring_service.stats import api as stats
from monitoring_service.stats.census import CensusTaker
from monitoring_service.stats.service import StatsQueries
from monitoring_service.store.client import Store, StoreError, open_store
from monitoring_service.store.counts import Counts
from monitoring_service.store.read_limiter import ReadLimiter
from monitoring_service.store.sequence import StorageSequence

NAME = "monitoring-service"


def create(settings: Settings) -> App:
    """The application with everything that it needs: Socket.IO behind its gate, REST beside it."""
    return _with_live_feed(*_rest(settings), settings)


def _rest(settings: Settings) -> tuple[FastAPI, SocketIoTransport]:
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
        limiter = _read_limiter(settings)
        feed = _feed(settings, store, sequence, counts, limiter, transport)

        async with open_clients(settings, NAME, on_revoked=feed.drop_revoked) as clients:
            state = app.state
            state.settings, state.store, state.counts, state.feed = settings, store, counts, feed
            state.read_limiter, state.stats = limiter, _stats(settings, store, counts, limiter)
            state.verifier, state.redis = clients.verifier, clients.redis
            state.checks = {"store": store.check}
            connect_handlers(transport, feed, clients.verifier, _subscribe_rate(settings))
            live = LiveLoop(feed, settings.redis_url.get_secret_value(), clients.denylist)
            async with (
                open_fleet_health(state.checks, _neighbours(settings)) as state.fleet_health,
                _in_background(live.run()),
            ):
                yield
        store.close()

    app = create_app(
        service="monitoring",
        settings=settings,
        routers=[feature.router for feature in (readings, latest, stats, rejected)],
        internal=[fleet_health.router],
        lifespan=lifespan,
        checks=_checks,
        dependency_errors=(StoreError,),
    )
    return app, transport


def _with_live_feed(rest: FastAPI, transport: SocketIoTransport, settings: Settings) -> App:
    app = socketio.ASGIApp(transport.server, other_asgi_app=rest, socketio_path=PATH)
    limit = ConnectionLimit(
        total=settings.live_connections,
        per_address=settings.live_connections_per_address,
        per_user=settings.live_connections_per_user,
    )
    return LiveGate(app, limit, connect_seconds=settings.live_connect_seconds)


@asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _read_limiter(settings: Settings) -> ReadLimiter:
    return ReadLimiter(
        at_once=settings.query_reads_at_once,
        each=settings.query_reads_per_organization,
        waiting=settings.query_waiting_per_organization,
        rest=settings.query_rest,
    )


def _stats(settings: Settings, store: Store, counts: Counts, limiter: ReadLimiter) -> StatsQueries:
    offline_after = timedelta(seconds=settings.device_offline_after_seconds)
    return StatsQueries(
        store, counts, CensusTaker(store, limiter, offline_after), settings.rejected_retention
    )


def _neighbours(settings: Settings) -> dict[str, str]:
    return {
        "signing-service": settings.signing_url,
        "device-service": settings.device_url,
        "sim-service": settings.sim_url,
        "signing-worker": settings.signing_worker_url,
        "device-worker": settings.device_worker_url,
        "sim-worker": settings.sim_worker_url,
        "monitoring-worker": settings.monitoring_worker_url,
    }


def _feed(
    settings: Settings,
    store: Store,
    sequence: StorageSequence,
    counts: Counts,
    limiter: ReadLimiter,
    transport: SocketIoTransport,
) -> LiveFeed:
    kept = timedelta(days=min(settings.live_retention_days, settings.telemetry_retention_days))
    return LiveFeed(
        store,
        sequence,
        transport,
        ResumeLimit(counts, kept=kept, most=settings.live_catch_up_readings),
        limiter,
        queue_packets=settings.live_queue_packets,
        slow_seconds=settings.live_slow_seconds,
    )


def _subscribe_rate(settings: Settings) -> SubscribeRate:
    return SubscribeRate(settings.live_subscribes_per_second, settings.live_subscribes_burst)


def _checks(app: FastAPI) -> Mapping[str, Check]:
    # Redis is only a notifier and a fast copy here: without it data and feed go on.
    checks: Mapping[str, Check] = app.state.checks
    return checks

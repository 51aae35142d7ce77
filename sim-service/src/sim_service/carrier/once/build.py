"""Builds the 1NCE client from settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from redis.asyncio import Redis

from fleet_kit.http_client import open_http
from sim_service.carrier.base import Carrier
from sim_service.carrier.breaker import Breaker
from sim_service.carrier.once.carrier import OnceCarrier
from sim_service.carrier.once.operations import ORDERS, PRODUCTS, SUPPORT
from sim_service.carrier.once.tokens import TokenSource
from sim_service.carrier.once.transport import Transport
from sim_service.carrier.rate_limiter import RateLimiter, RedisReservationStore
from sim_service.settings import CarrierSettings

_CONNECTIONS = 16


@asynccontextmanager
async def open_once(settings: CarrierSettings, redis: Redis) -> AsyncIterator[Carrier]:
    """The carrier with connections of its own; they close at the end."""
    timeout = httpx.Timeout(20, connect=3, pool=5)
    async with open_http(timeout_seconds=timeout, connections=_CONNECTIONS) as http:
        limiter, lanes = _limiters(settings, redis)
        tokens = TokenSource(
            http,
            redis,
            url=settings.carrier_url,
            client_id=settings.carrier_client_id,
            client_secret=settings.carrier_client_secret.get_secret_value(),
        )
        breaker = Breaker(
            "once", threshold=settings.carrier_breaker_failures, ttl=settings.carrier_breaker_seconds
        )
        yield OnceCarrier(
            Transport(
                http,
                tokens,
                limiter,
                breaker,
                lanes=lanes,
                url=settings.carrier_url,
                versions=settings.carrier_api_versions,
            )
        )


def _limiters(settings: CarrierSettings, redis: Redis) -> tuple[RateLimiter, dict[str, RateLimiter]]:
    """The rate limiter of most requests, and those of the groups of paths with a limit of their own."""
    key = f"carrier:once:turns:{settings.carrier_client_id}"
    share = settings.carrier_local_share
    # Half of the allowance at once, the rest evenly: together never more than it in any five minutes.
    allowance = settings.carrier_others_per_five_minutes
    burst = allowance // 2
    rate = max(1, allowance - burst - 1) / 300
    store = RedisReservationStore(redis, key, settings.carrier_requests_per_second, local_share=share)
    lanes = {
        lane: RateLimiter(RedisReservationStore(redis, f"{key}:{lane}", rate, local_share=share, burst=burst))
        for lane in (ORDERS, PRODUCTS, SUPPORT)
    }
    return RateLimiter(store), lanes

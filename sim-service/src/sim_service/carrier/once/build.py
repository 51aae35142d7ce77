"""Putting the 1NCE client together from settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from redis.asyncio import Redis

from sim_service.carrier.base import Carrier
from sim_service.carrier.breaker import Breaker
from sim_service.carrier.once.client import OnceCarrier
from sim_service.carrier.once.operations import ORDERS, PRODUCTS, SUPPORT
from sim_service.carrier.once.tokens import TokenSource
from sim_service.carrier.once.transport import Transport
from sim_service.carrier.turns import SharedBook, Turns
from sim_service.settings import CarrierSettings

_CONNECTIONS = 16


@asynccontextmanager
async def open_once(settings: CarrierSettings, redis: Redis) -> AsyncIterator[Carrier]:
    """The carrier with connections of its own; they close at the end."""
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    timeout = httpx.Timeout(20, connect=3, pool=5)
    async with httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False) as http:
        client_id = settings.carrier_client_id
        turns = f"carrier:once:turns:{client_id}"
        share = settings.carrier_local_share
        book = SharedBook(redis, turns, settings.carrier_requests_per_second, local_share=share)
        burst, rate = _burst_and_rate(settings.carrier_others_per_five_minutes)
        lanes = {
            lane: Turns(SharedBook(redis, f"{turns}:{lane}", rate, local_share=share, burst=burst))
            for lane in (ORDERS, PRODUCTS, SUPPORT)
        }
        tokens = TokenSource(
            http,
            redis,
            url=settings.carrier_url,
            client_id=client_id,
            client_secret=settings.carrier_client_secret.get_secret_value(),
        )
        breaker = Breaker(
            "once", threshold=settings.carrier_breaker_failures, ttl=settings.carrier_breaker_seconds
        )
        yield OnceCarrier(
            Transport(
                http,
                tokens,
                Turns(book),
                breaker,
                lanes=lanes,
                url=settings.carrier_url,
                versions=settings.carrier_api_versions,
            )
        )


def _burst_and_rate(per_five_minutes: int) -> tuple[int, float]:
    """Half of the allowance at once, the rest evenly: together never more than it in any five minutes."""
    burst = per_five_minutes // 2
    return burst, max(1, per_five_minutes - burst - 1) / 300

"""Clients that every API process opens at its start: HTTP, Redis, the broker, token verification."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
from redis.asyncio import Redis

from fleet_kit.http_client import open_http
from fleet_kit.messaging import Publisher
from fleet_kit.redis_client import open_redis
from fleet_kit.revocations import OnRevoked, RevocationListener
from fleet_kit.settings import ServiceSettings
from fleet_kit.token_denylist import DenylistClient
from fleet_kit.token_verifier import JwksClient, TokenVerifier


@dataclass(frozen=True)
class ServiceClients:
    """What every API process holds open."""

    http: httpx.AsyncClient
    redis: Redis
    denylist: DenylistClient
    verifier: TokenVerifier
    publisher: Publisher


@asynccontextmanager
async def open_clients(
    settings: ServiceSettings, name: str, *, on_revoked: OnRevoked | None = None
) -> AsyncIterator[ServiceClients]:
    """Open them, listen for `token.revoked` in the background, and close them at the end."""
    url = settings.amqp_url.get_secret_value()
    redis = open_redis(settings.redis_url.get_secret_value())
    publisher = Publisher(url, name, timeout_seconds=settings.publish_timeout_seconds)
    # What verifies tokens has connections of its own: nothing else can use them up.
    async with open_http() as http, open_http(connections=2) as keys_http:
        denylist = DenylistClient(redis, http, settings.signing_url)
        keys = JwksClient(keys_http, settings.signing_url)
        verifier = TokenVerifier(keys, denylist, settings.token_issuer, settings.token_audience)
        listener = asyncio.create_task(RevocationListener(url, name, denylist, on_revoked).run())
        try:
            yield ServiceClients(http, redis, denylist, verifier, publisher)
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener
            await publisher.close()
            await redis.aclose()

"""Wiring that every service shares: who checks tokens, and hearing of revocations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
from redis.asyncio import Redis

from fleet_kit.denylist import SharedDenylist, open_redis
from fleet_kit.http_client import open_http
from fleet_kit.messaging import Publisher
from fleet_kit.revocations import OnRevoked, RevocationListener
from fleet_kit.settings import ServiceSettings
from fleet_kit.tokens import JwksClient, TokenVerifier


@dataclass(frozen=True)
class Common:
    """What every API process holds open."""

    http: httpx.AsyncClient
    redis: Redis
    denylist: SharedDenylist
    verifier: TokenVerifier
    publisher: Publisher


@asynccontextmanager
async def open_common(
    settings: ServiceSettings, name: str, *, on_revoked: OnRevoked | None = None
) -> AsyncIterator[Common]:
    """Open it, listen for `token.revoked` in the background, and close it at the end."""
    url = settings.amqp_url.get_secret_value()
    redis = open_redis(settings.redis_url.get_secret_value())
    publisher = Publisher(url, name, timeout_seconds=settings.publish_timeout_seconds)
    async with open_http() as http:
        denylist = SharedDenylist(redis, http, settings.signing_url)
        keys = JwksClient(http, settings.signing_url)
        verifier = TokenVerifier(keys, denylist, settings.token_issuer, settings.token_audience)
        listener = asyncio.create_task(RevocationListener(url, name, denylist, on_revoked).run())
        try:
            yield Common(http, redis, denylist, verifier, publisher)
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener
            await publisher.close()
            await redis.aclose()

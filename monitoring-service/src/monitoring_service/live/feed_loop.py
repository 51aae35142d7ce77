"""The loop that drives the live feed of one process."""

import asyncio
import time
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fleet_kit.errors import Unavailable
from fleet_kit.token_denylist import Denylist
from monitoring_service.live.clients import LiveClient
from monitoring_service.live.notifier import CHANNEL
from monitoring_service.live.service import LiveFeed
from monitoring_service.store.client import StoreError

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.5
"""Longest pause between two polls of the store: the feed's pace while Redis is unavailable."""
PAUSE_SECONDS = 0.03
"""Shortest pause: what is stored meanwhile goes out together."""
CHECK_TOKENS_SECONDS = 0.5
CHECK_DENYLIST_SECONDS = 5.0


class LiveLoop:
    """Feeds clients, and disconnects those whose token has ended."""

    def __init__(self, feed: LiveFeed, redis_url: str, denylist: Denylist) -> None:
        self._feed, self._redis_url, self._denylist = feed, redis_url, denylist
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Go on until cancelled."""
        await asyncio.gather(self._feed_clients(), self._listen(), self._check_tokens())

    async def _feed_clients(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._feed.publish_new()
            except StoreError as error:
                log.warning("the store is unavailable", error=type(error).__name__)
            except Exception as error:  # one round that fails must not end the feed
                log.error("live round failed", exc_info=error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _listen(self) -> None:
        while True:
            with suppress(RedisError, OSError, TimeoutError):
                client = Redis.from_url(self._redis_url, socket_connect_timeout=1)
                async with client, client.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    while True:
                        await subscription.get_message(ignore_subscribe_messages=True, timeout=30)
                        self._wake.set()
            await asyncio.sleep(1)

    async def _check_tokens(self) -> None:
        checked = time.monotonic()
        while True:
            await asyncio.sleep(CHECK_TOKENS_SECONDS)
            now = time.time()
            await self._feed.drop(
                one for one in self._feed.clients if one.principal.expires_at.timestamp() < now
            )
            if time.monotonic() - checked > CHECK_DENYLIST_SECONDS:
                checked = time.monotonic()
                await self._feed.drop([one for one in self._feed.clients if await self._is_revoked(one)])

    async def _is_revoked(self, client: LiveClient) -> bool:
        """Only a second check: `token.revoked` is quicker, but may be missed while there is no broker."""
        try:
            return await self._denylist.is_revoked(client.principal.token_id, client.principal.session_id)
        except Unavailable:
            return False

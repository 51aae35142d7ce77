"""How many MQTT sessions are open, of all devices and of organisations, as the broker lists them.

No organisation may take more than half of what the broker has room for, so nothing is counted by organisation
while less than that is open: the list of all sessions is long, their number alone costs nothing.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
from redis.asyncio import Redis

from device_service.broker.rules import device_of_user
from device_service.credentials.service import Authenticator

KEY = "device:sessions-of-organizations"
TOTAL = "total"
_REMEMBERED_SECONDS = 60


class SessionCensus:
    """The worker's side. `max_sessions`: for which the broker has room."""

    def __init__(
        self,
        authenticator: Authenticator,
        management: httpx.AsyncClient,
        redis: Redis,
        *,
        vhost: str,
        max_sessions: int,
    ) -> None:
        self._authenticator, self._management, self._redis = authenticator, management, redis
        self._list, self._max_sessions = f"/api/vhosts/{quote(vhost, safe='')}/connections", max_sessions

    async def count(self) -> None:
        """Count anew; raises httpx.HTTPError and redis.RedisError."""
        overview = (await self._management.get("/api/overview")).raise_for_status().json()
        total = int(overview.get("object_totals", {}).get("connections", 0))
        counts: dict[Any, Any] = {TOTAL: total}
        if total >= share(self._max_sessions):
            sessions = await self._authenticator.count_sessions(await self._devices())
            counts |= {str(owner): number for owner, number in sessions.items()}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(KEY)
            pipe.hset(KEY, mapping=counts)
            pipe.expire(KEY, _REMEMBERED_SECONDS)
            await pipe.execute()

    async def _devices(self) -> Iterator[UUID]:
        listed = (
            (await self._management.get(self._list, params={"columns": "user"})).raise_for_status().json()
        )
        return (device for one in listed if (device := device_of_user(one.get("user", ""))) is not None)


def share(max_sessions: int) -> int:
    """Sessions that one organisation may have open."""
    return max(1, max_sessions // 2)

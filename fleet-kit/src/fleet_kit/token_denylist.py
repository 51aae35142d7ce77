"""Revoked tokens: Redis is the fast copy, signing-service the truth, never a guess in between."""

import time
from typing import Protocol

import httpx
from redis.asyncio import Redis

from fleet_kit.batched_reads import BatchedReads
from fleet_kit.errors import Unavailable
from fleet_kit.redis_guard import RedisGuard, RedisUnavailable

READY_KEY = "denylist:ready"
"""Present (for a few seconds at a time) only while Redis holds every revoked token; see signing-service."""


PURGE_EVERY_SECONDS = 60


def entry_key(identifier: str) -> str:
    """Redis key of a revoked token (`jti`) or session (`sid`)."""
    return f"denylist:{identifier}"


class Denylist(Protocol):
    """Answers whether a token may no longer be used."""

    async def is_revoked(self, jti: str, sid: str) -> bool:
        """True once revoked; raises Unavailable if it cannot be checked."""
        ...


class DenylistClient:
    """The denylist as every service but signing-service sees it.

    Asked first is a memory that `token.revoked` fills (revocations.py), then Redis, then signing-service.
    """

    def __init__(self, redis: Redis, http: httpx.AsyncClient, signing_url: str) -> None:
        self.reads, self._http = BatchedReads(redis), http
        self._url = f"{signing_url}/internal/tokens/check"
        self._local: dict[str, float] = {}
        self._purge_at = 0.0
        self._guard = RedisGuard("asking signing-service")

    def remember(self, identifier: str, expires_at: float) -> None:
        """Refuse a `jti` or `sid` from now on without asking anybody; `expires_at` in epoch seconds."""
        now = time.time()
        # Not at each one: where people log in and out all day, what is remembered grows long.
        if now >= self._purge_at:
            self._local = {name: until for name, until in self._local.items() if until > now}
            self._purge_at = now + PURGE_EVERY_SECONDS
        self._local[identifier] = expires_at

    async def is_revoked(self, jti: str, sid: str) -> bool:
        if jti in self._local or sid in self._local:
            return True
        answer = await self._ask_redis(jti, sid)
        return await self._ask_signing(jti, sid) if answer is None else answer

    async def _ask_redis(self, jti: str, sid: str) -> bool | None:
        try:
            with self._guard.attempt():
                ready, *entries = await self.reads.get(READY_KEY, entry_key(jti), entry_key(sid))
        except RedisUnavailable:
            return None
        if any(entry is not None for entry in entries):
            return True
        return False if ready is not None else None

    async def _ask_signing(self, jti: str, sid: str) -> bool:
        try:
            response = await self._http.post(self._url, json={"jti": jti, "sid": sid})
            response.raise_for_status()
            return bool(response.json()["revoked"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise Unavailable("tokens cannot be checked at the moment") from error

"""One access token for all callers of all processes.

Kept in memory and in Redis. When it runs out, one process asks for a new one under a lock in Redis while
the others wait for it to appear. Without Redis every process asks for itself, once for all its callers. A
renewal is a task of its own: callers may stop waiting for it, and its failure is raised to all that wait.
"""

import asyncio
import base64
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import orjson
import structlog
from redis.asyncio import Redis

from fleet_kit.redis_guard import REDIS_ERRORS
from sim_service.carrier import metrics
from sim_service.carrier.errors import CarrierBadAnswer, CarrierCredentialsRejected, CarrierUnavailable
from sim_service.carrier.once import responses

log = structlog.get_logger(__name__)

_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Token:
    """An opaque access token (about 3,000 characters) and when it ends, in epoch seconds."""

    value: str
    expires_at: float
    lifetime: float

    def usable(self, margin: float) -> bool:
        """Whether it still lives for more than `margin` seconds (or a tenth of its life, if that is less)."""
        return self.expires_at - time.time() > min(margin, self.lifetime / 10)


class TokenSource:
    """Hands out the token and renews it once for everybody.

    `margin`: a token is renewed so many seconds before it ends. `lock_seconds`: longest time one process
    may take for the renewal before another tries. `refusal_seconds`: credentials that were refused are not
    tried again for so long.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        redis: Redis,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        margin: float = 60.0,
        lock_seconds: float = 15.0,
        refusal_seconds: float = 30.0,
    ) -> None:
        self._http, self._redis, self._url = http, redis, f"{url}/oauth/token"
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}", "Accept": "application/json"}
        self._key, self._lock_key = f"carrier:once:token:{client_id}", f"carrier:once:token-lock:{client_id}"
        self._margin, self._lock_seconds, self._refusal_seconds = margin, lock_seconds, refusal_seconds
        self._token: Token | None = None
        self._renewals: dict[str | None, asyncio.Task[Token]] = {}
        self._refused_until = 0.0
        self._refusal = ""

    async def get(self, *, refused: str | None = None, max_wait: float | None = None) -> str:
        """A token that works, other than `refused`; raises CarrierUnavailable after `max_wait` seconds."""
        token = self._token
        if token is not None and token.value != refused and token.usable(self._margin):
            return token.value
        renewal = self._renewal(refused)
        await asyncio.wait({renewal}, timeout=max_wait)
        if not renewal.done():
            raise CarrierUnavailable("the carrier gives no access token in time")
        return renewal.result().value

    def _renewal(self, refused: str | None) -> asyncio.Task[Token]:
        renewal = self._renewals.get(refused)
        if renewal is None:
            renewal = self._renewals[refused] = asyncio.create_task(self._shared(refused))
            renewal.add_done_callback(partial(self._renewed, refused))
        return renewal

    def _renewed(self, refused: str | None, renewal: asyncio.Task[Token]) -> None:
        del self._renewals[refused]
        if not renewal.cancelled() and renewal.exception() is None:
            self._token = renewal.result()

    async def _shared(self, refused: str | None) -> Token:
        """The token in Redis, or a new one asked for by whoever holds the lock."""
        seconds = self._lock_seconds
        lock = self._redis.lock(self._lock_key, timeout=seconds, blocking_timeout=seconds, sleep=0.05)
        try:
            if (token := await self._stored(refused)) is not None:
                return token
            locked = await lock.acquire()
        except REDIS_ERRORS as error:
            log.warning(
                "redis is unavailable, asking for a token of this process's own", error=type(error).__name__
            )
            return await self._ask()
        try:
            return await self._renew(refused)
        finally:
            if locked:
                with suppress(*REDIS_ERRORS):  # then the lock expires
                    await lock.release()

    async def _renew(self, refused: str | None) -> Token:
        """What another process has stored meanwhile, or a new one."""
        with suppress(*REDIS_ERRORS):
            if (token := await self._stored(refused)) is not None:
                return token
        token = await self._ask()
        with suppress(*REDIS_ERRORS):  # then the token stays with this process
            lifetime = max(1, round(token.expires_at - time.time()))
            await self._redis.set(self._key, orjson.dumps(token), ex=lifetime)
        return token

    async def _stored(self, refused: str | None) -> Token | None:
        raw = await self._redis.get(self._key)
        if raw is None:
            return None
        try:
            record = orjson.loads(raw)
            token = Token(str(record["value"]), float(record["expires_at"]), float(record["lifetime"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return None
        return token if token.value != refused and token.usable(self._margin) else None

    async def _ask(self) -> Token:
        if time.monotonic() < self._refused_until:
            raise self._rejected()
        try:
            token = await self._request()
        except Exception:
            metrics.TOKEN_REFRESHES.labels("failed").inc()
            raise
        metrics.TOKEN_REFRESHES.labels("ok").inc()
        return token

    async def _request(self) -> Token:
        started = time.time()
        try:
            async with (
                asyncio.timeout(self._lock_seconds * 0.8),
                self._http.stream(
                    "POST", self._url, headers=self._headers, json={"grant_type": "client_credentials"}
                ) as response,
            ):
                body = await responses.read_body(response, max_bytes=_MAX_BYTES)
        except (httpx.HTTPError, TimeoutError) as error:
            raise CarrierUnavailable("the carrier gives no access token at the moment") from error
        if response.status_code in {400, 401, 403}:
            self._refused_until = time.monotonic() + self._refusal_seconds
            self._refusal = responses.error_fields(body).get("message", "")
            raise self._rejected()
        if response.status_code != 200:
            raise CarrierUnavailable(
                "the carrier gives no access token at the moment", details={"status": response.status_code}
            )
        return _token_in(body, started)

    def _rejected(self) -> CarrierCredentialsRejected:
        return CarrierCredentialsRejected(
            "the carrier does not accept the configured credentials",
            retry_after=round(self._refusal_seconds),
            details={"carrier_message": self._refusal} if self._refusal else {},
        )


def _token_in(body: bytes, asked_at: float) -> Token:
    """The token of an answer; its lifetime counts from when it was asked for."""
    try:
        record: Any = orjson.loads(body)
        value, seconds = record["access_token"], float(record["expires_in"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise CarrierBadAnswer("the carrier's token answer cannot be read") from error
    if not isinstance(value, str) or not value or not value.isascii() or seconds <= 0:
        raise CarrierBadAnswer("the carrier's token answer cannot be read")
    return Token(value, asked_at + seconds, seconds)

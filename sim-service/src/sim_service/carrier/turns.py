"""Whose turn it is: one rate limit for every process that talks to the carrier.

Turns are spaced evenly, so no second ever holds more than the limit; where the limit is for minutes, a book
may let `burst` of them run together first. A person's request books the next
free turn and waits for it; a background job takes a turn only when nobody has booked one, or after it has
waited for `patience` seconds. The book is one number in Redis, advanced by a script under Redis's own
clock. Without Redis each process keeps its own book with a share of the rate.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from sim_service.carrier import metrics
from sim_service.carrier.errors import CarrierRateLimited
from sim_service.carrier.facts import Priority

log = structlog.get_logger(__name__)

_SPACING_MARGIN = 1.03
"""Turns are a little further apart than the limit asks: the network may move two requests closer together."""

_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local next_free = tonumber(redis.call('GET', KEYS[1]) or '0')
if next_free < now then next_free = now end
local wait = next_free - now - tonumber(ARGV[3])
if wait < 0 then wait = 0 end
if wait > tonumber(ARGV[2]) then return {0, wait} end
local booked = next_free + tonumber(ARGV[1])
redis.call('SET', KEYS[1], booked, 'PX', booked - now + 1000)
return {1, wait}
"""

_HOLD_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local until_ = now + tonumber(ARGV[1])
if until_ > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], until_, 'PX', tonumber(ARGV[1]) + 1000)
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Booking:
    """`granted`: the turn comes in `wait` seconds; otherwise the next one would be free then."""

    granted: bool
    wait: float


class Book(Protocol):
    """The order of turns."""

    async def book(self, longest_wait: float) -> Booking:
        """Book the next turn if it comes within `longest_wait` seconds."""
        ...

    async def hold(self, seconds: float) -> None:
        """Give no turn for so long: the carrier said so."""
        ...


class LocalBook:
    """One process's own book; `rate` turns a second, `burst` of them ahead of their time."""

    def __init__(self, rate: float, *, burst: int = 0) -> None:
        self._interval = _SPACING_MARGIN / rate
        self._slack = burst * self._interval
        self._next_free = 0.0

    async def book(self, longest_wait: float) -> Booking:
        """Book the next turn if it comes within `longest_wait` seconds."""
        now = time.monotonic()
        self._next_free = max(now, self._next_free)
        wait = max(0.0, self._next_free - now - self._slack)
        if wait > longest_wait:
            return Booking(False, wait)
        self._next_free += self._interval
        return Booking(True, wait)

    async def hold(self, seconds: float) -> None:
        """Give no turn for so long."""
        self._next_free = max(self._next_free, time.monotonic() + seconds + self._slack)


class SharedBook:
    """The book in Redis, with the local one while Redis is away (asked again every `retry_redis` seconds)."""

    def __init__(
        self,
        redis: Redis,
        key: str,
        rate: float,
        *,
        local_share: float,
        burst: int = 0,
        retry_redis: float = 2.0,
    ) -> None:
        self._interval_ms = max(1, round(1000 * _SPACING_MARGIN / rate))
        self._slack_ms = burst * self._interval_ms
        self._key = key
        self._book = redis.register_script(_SCRIPT)
        self._hold = redis.register_script(_HOLD_SCRIPT)
        self._local = LocalBook(rate * local_share, burst=round(burst * local_share))
        self._retry_redis = retry_redis
        self._away_until = 0.0

    async def book(self, longest_wait: float) -> Booking:
        """Book the next turn if it comes within `longest_wait` seconds."""
        answer = await self._ask(self._book, [self._interval_ms, round(longest_wait * 1000), self._slack_ms])
        if answer is None:
            metrics.LOCAL_TURNS.inc()
            return await self._local.book(longest_wait)
        granted, wait_ms = answer
        return Booking(bool(granted), int(wait_ms) / 1000)

    async def hold(self, seconds: float) -> None:
        """Give nobody a turn for so long."""
        await self._local.hold(seconds)
        await self._ask(self._hold, [max(1, round(seconds * 1000)) + self._slack_ms])

    async def _ask(self, script: Any, args: list[int]) -> Any:
        if time.monotonic() < self._away_until:
            return None
        try:
            return await script(keys=[self._key], args=args)
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + self._retry_redis
            log.warning("redis is away, using this process's share of the rate", error=type(error).__name__)
            return None


class Turns:
    """Waits until a request may be sent."""

    def __init__(self, book: Book, *, patience: float = 5.0) -> None:
        self._book = book
        self._patience = patience

    async def take(self, priority: Priority, *, longest_wait: float) -> None:
        """Return when it is this caller's turn; raises CarrierRateLimited if that is too far away."""
        started = time.monotonic()
        if priority is not Priority.BACKGROUND:
            await self._booked(longest_wait)
        else:
            await self._unbooked(started, longest_wait)
        metrics.WAIT_SECONDS.labels(priority.value).observe(time.monotonic() - started)

    async def hold(self, seconds: float) -> None:
        """Nobody sends for so long."""
        await self._book.hold(seconds)

    async def _booked(self, longest_wait: float) -> None:
        booking = await self._book.book(max(0.0, longest_wait))
        if not booking.granted:
            raise CarrierRateLimited(
                "the carrier's rate limit leaves no turn in time",
                retry_after=max(1, round(booking.wait + 0.5)),
            )
        await asyncio.sleep(booking.wait)

    async def _unbooked(self, started: float, longest_wait: float) -> None:
        patience = min(self._patience, longest_wait)
        while (waited := time.monotonic() - started) < patience:
            booking = await self._book.book(0.0)
            if booking.granted:
                return
            await asyncio.sleep(min(booking.wait + 0.001, patience - waited))
        await self._booked(longest_wait - waited)

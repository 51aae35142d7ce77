"""One rate limit for all processes that talk to the carrier.

Time slots are spaced evenly, so no second holds more requests than the limit; where the limit counts minutes,
`burst` requests may run together first. An interactive request reserves the next free slot and waits for it.
A background request takes a slot only when no reservation is waiting, or after `patience` seconds. The store
is one number in Redis (the next free slot), advanced by a script under Redis's clock. Without Redis each
process uses its own store with a share of the rate.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from fleet_kit.redis_guard import RedisGuard, RedisUnavailable
from sim_service.carrier import metrics
from sim_service.carrier.errors import CarrierRateLimited
from sim_service.carrier.models import Priority

_SPACING_MARGIN = 1.03
"""Slots are spaced a little wider than the limit asks: the network may move two requests closer."""

_RESERVE_SCRIPT = """
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

_PAUSE_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local until_ = now + tonumber(ARGV[1])
if until_ > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], until_, 'PX', tonumber(ARGV[1]) + 1000)
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Reservation:
    """`granted`: the slot comes in `wait` seconds; otherwise the next one would be free then."""

    granted: bool
    wait: float


class LocalReservationStore:
    """The time slots of one process: `rate` a second, up to `burst` of them ahead of their time."""

    def __init__(self, rate: float, *, burst: int = 0) -> None:
        self._interval = _SPACING_MARGIN / rate
        self._slack = burst * self._interval
        self._next_free = 0.0

    async def reserve(self, max_wait: float) -> Reservation:
        """Reserve the next slot if it comes within `max_wait` seconds."""
        now = time.monotonic()
        self._next_free = max(now, self._next_free)
        wait = max(0.0, self._next_free - now - self._slack)
        if wait > max_wait:
            return Reservation(False, wait)
        self._next_free += self._interval
        return Reservation(True, wait)

    async def pause(self, seconds: float) -> None:
        """Hand out no slot for so many seconds, as the carrier asked for with a 429."""
        self._next_free = max(self._next_free, time.monotonic() + seconds + self._slack)


class RedisReservationStore:
    """The slots of all processes; a local store for `retry_redis` seconds after Redis failed."""

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
        self._reserve_script = redis.register_script(_RESERVE_SCRIPT)
        self._pause_script = redis.register_script(_PAUSE_SCRIPT)
        self._local = LocalReservationStore(rate * local_share, burst=round(burst * local_share))
        self._guard = RedisGuard("using this process's share of the rate", retry_after_seconds=retry_redis)

    async def reserve(self, max_wait: float) -> Reservation:
        answer = await self._ask(
            self._reserve_script, [self._interval_ms, round(max_wait * 1000), self._slack_ms]
        )
        if answer is None:
            metrics.LOCAL_SLOTS.inc()
            return await self._local.reserve(max_wait)
        granted, wait_ms = answer
        return Reservation(bool(granted), int(wait_ms) / 1000)

    async def pause(self, seconds: float) -> None:
        await self._local.pause(seconds)
        await self._ask(self._pause_script, [max(1, round(seconds * 1000)) + self._slack_ms])

    async def _ask(self, script: Any, args: list[int]) -> Any:
        try:
            with self._guard.attempt():
                return await script(keys=[self._key], args=args)
        except RedisUnavailable:
            return None


class RateLimiter:
    """`patience`: seconds after which a background request reserves a slot like an interactive one."""

    def __init__(
        self, store: LocalReservationStore | RedisReservationStore, *, patience: float = 5.0
    ) -> None:
        self._store = store
        self._patience = patience

    async def acquire(self, priority: Priority, *, max_wait: float) -> None:
        """Return when the request may be sent; CarrierRateLimited if that takes over `max_wait` seconds."""
        started = time.monotonic()
        if priority is not Priority.BACKGROUND:
            await self._reserve(max_wait)
        else:
            await self._wait_for_free_slot(started, max_wait)
        metrics.WAIT_SECONDS.labels(priority.value).observe(time.monotonic() - started)

    async def pause(self, seconds: float) -> None:
        await self._store.pause(seconds)

    async def _reserve(self, max_wait: float) -> None:
        reservation = await self._store.reserve(max(0.0, max_wait))
        if not reservation.granted:
            raise CarrierRateLimited(
                "the carrier's rate limit leaves no slot in time",
                retry_after=max(1, round(reservation.wait + 0.5)),
            )
        await asyncio.sleep(reservation.wait)

    async def _wait_for_free_slot(self, started: float, max_wait: float) -> None:
        patience = min(self._patience, max_wait)
        while (waited := time.monotonic() - started) < patience:
            reservation = await self._store.reserve(0.0)
            if reservation.granted:
                return
            await asyncio.sleep(min(reservation.wait + 0.001, patience - waited))
        await self._reserve(max_wait - waited)

"""One rate limit for all processes that talk to the carrier.

Time slots are spaced evenly, so no second holds more requests than the limit; where the limit counts minutes,
`burst` requests may run together first. An interactive request reserves the next free slot and waits for it.
A background request takes a slot only when no reservation is waiting, or after `patience` seconds.

Each share (an organisation; all jobs together have another) has at most one reservation at a time and queues
behind it by itself. So a request waits for one slot of each other share that is busy, however many requests
those have. The jobs of each organisation take turns.

The store is in Redis: the next free slot, and the last slot of each share, advanced by a script under Redis's
clock. Without Redis each process uses its own store with a part of the rate.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from fleet_kit.fair_semaphore import FairSemaphore
from fleet_kit.redis_guard import RedisGuard, RedisUnavailable
from sim_service.carrier import metrics
from sim_service.carrier.errors import CarrierRateLimited
from sim_service.carrier.fair_share import current_share
from sim_service.carrier.models import Priority

_JOBS = "/jobs"
"""The share of all jobs together, in which those of each organisation take turns."""
_SPACING_MARGIN = 1.03
"""Slots are spaced a little wider than the limit asks: the network may move two requests closer."""

_RESERVE_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local mine = tonumber(KEYS[2] and redis.call('GET', KEYS[2]) or '0')
if mine > now then return {0, mine - now, 1} end
local next_free = tonumber(redis.call('GET', KEYS[1]) or '0')
if next_free < now then next_free = now end
local wait = next_free - now - tonumber(ARGV[3])
if wait < 0 then wait = 0 end
if wait > tonumber(ARGV[2]) then return {0, wait, 0} end
local booked = next_free + tonumber(ARGV[1])
redis.call('SET', KEYS[1], booked, 'PX', booked - now + 1000)
if KEYS[2] and wait > 0 then redis.call('SET', KEYS[2], now + wait, 'PX', wait) end
return {1, wait, 0}
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
    """`granted`: the slot comes in `wait` seconds; otherwise the next one would be free then.

    `own`: not granted because the share has another reservation, which comes in `wait` seconds.
    """

    granted: bool
    wait: float
    own: bool = False


class LocalReservationStore:
    """The time slots of one process: `rate` a second, up to `burst` of them ahead of their time."""

    def __init__(self, rate: float, *, burst: int = 0) -> None:
        self._interval = _SPACING_MARGIN / rate
        self._slack = burst * self._interval
        self._next_free = 0.0
        self._last: dict[str, float] = {}

    async def reserve(self, max_wait: float, share: str | None = None) -> Reservation:
        """Reserve the next slot if it comes within `max_wait` seconds and the share has no other."""
        now = time.monotonic()
        self._last = {name: at for name, at in self._last.items() if at > now}
        if share in self._last:
            return Reservation(False, self._last[share] - now, own=True)
        self._next_free = max(now, self._next_free)
        wait = max(0.0, self._next_free - now - self._slack)
        if wait > max_wait:
            return Reservation(False, wait)
        self._next_free += self._interval
        if share is not None:
            self._last[share] = now + wait
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

    async def reserve(self, max_wait: float, share: str | None = None) -> Reservation:
        keys = [self._key] if share is None else [self._key, f"{self._key}:of:{share}"]
        answer = await self._ask(
            self._reserve_script, [self._interval_ms, round(max_wait * 1000), self._slack_ms], keys
        )
        if answer is None:
            metrics.LOCAL_SLOTS.inc()
            return await self._local.reserve(max_wait, share)
        granted, wait_ms, own = answer
        return Reservation(bool(granted), int(wait_ms) / 1000, bool(own))

    async def pause(self, seconds: float) -> None:
        await self._local.pause(seconds)
        await self._ask(self._pause_script, [max(1, round(seconds * 1000)) + self._slack_ms])

    async def _ask(self, script: Any, args: list[int], keys: list[str] | None = None) -> Any:
        try:
            with self._guard.attempt():
                return await script(keys=keys or [self._key], args=args)
        except RedisUnavailable:
            return None


class RateLimiter:
    """`patience`: seconds after which a background request reserves a slot like an interactive one."""

    def __init__(
        self, store: LocalReservationStore | RedisReservationStore, *, patience: float = 5.0
    ) -> None:
        self._store = store
        self._patience = patience
        # One request of each share is at the store at a time, and of all jobs one.
        self._people, self._jobs = FairSemaphore(), FairSemaphore(1)

    async def acquire(self, priority: Priority, *, max_wait: float) -> None:
        """Return when the request may be sent; CarrierRateLimited if that takes over `max_wait` seconds."""
        started = time.monotonic()
        deadline = started + max_wait
        if priority is Priority.BACKGROUND:
            async with _permit(self._jobs, deadline):
                if not await self._found_free_slot(min(started + self._patience, deadline)):
                    await self._reserve(_JOBS, deadline)
        else:
            async with _permit(self._people, deadline):
                await self._reserve(current_share(), deadline)
        metrics.WAIT_SECONDS.labels(priority.value).observe(time.monotonic() - started)

    async def pause(self, seconds: float) -> None:
        await self._store.pause(seconds)

    async def _reserve(self, share: str, deadline: float) -> None:
        """Wait for the share's next slot; another process of ours may be waiting for one of its own."""
        while True:
            left = max(0.0, deadline - time.monotonic())
            reservation = await self._store.reserve(left, share)
            if not reservation.granted and (not reservation.own or reservation.wait > left):
                raise _no_slot(reservation.wait)
            await asyncio.sleep(reservation.wait)
            if reservation.granted:
                return

    async def _found_free_slot(self, patient_until: float) -> bool:
        while (left := patient_until - time.monotonic()) > 0:
            reservation = await self._store.reserve(0.0, _JOBS)
            if reservation.granted:
                return True
            await asyncio.sleep(min(reservation.wait + 0.001, left))
        return False


@asynccontextmanager
async def _permit(permits: FairSemaphore, deadline: float) -> AsyncIterator[None]:
    """To reserve a slot for the present share; raises CarrierRateLimited after the deadline."""
    share, left = current_share(), max(0.0, deadline - time.monotonic())
    try:
        async with asyncio.timeout(left):
            await permits.acquire(share)
    except TimeoutError:
        raise _no_slot(left) from None
    try:
        yield
    finally:
        permits.release(share)


def _no_slot(wait: float) -> CarrierRateLimited:
    return CarrierRateLimited(
        "the carrier's rate limit leaves no slot in time", retry_after=max(1, round(wait + 0.5))
    )

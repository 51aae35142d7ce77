"""Stops asking a carrier that keeps failing, and lets one probe through to find out when it is back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from purgatory.domain.model import Context, OpenedState

from sim_service.carrier import metrics
from sim_service.carrier.errors import (
    CarrierBadAnswer,
    CarrierCredentialsRejected,
    CarrierOutcomeUnknown,
    CarrierRateLimited,
    CarrierUnavailable,
)

T = TypeVar("T")


class BreakerOpen(CarrierUnavailable):
    """The carrier is known to be unavailable and was not asked."""


class Breaker:
    """Opens after `threshold` failures of the carrier in a row; after `ttl` seconds one call tries again."""

    def __init__(self, name: str, *, threshold: int = 5, ttl: float = 15.0) -> None:
        self._context = Context(name, threshold, ttl)
        self._ttl = ttl
        self._probe = asyncio.Lock()

    @property
    def state(self) -> str:
        """`closed`, `opened` or `half-opened`."""
        return str(self._context.state)

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run the attempt, or raise BreakerOpen at once while the carrier is known to be unavailable."""
        if self._probe.locked():
            raise self._refusal()
        try:
            self._context.handle_new_request()
        except OpenedState:
            raise self._refusal() from None
        if self.state == "closed":
            return await self._observe(attempt)
        async with self._probe:
            return await self._observe(attempt)

    async def _observe(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            result = await attempt()
        except (CarrierUnavailable, CarrierBadAnswer, CarrierOutcomeUnknown) as error:
            self._context.handle_exception(error)
            raise
        except (CarrierRateLimited, CarrierCredentialsRejected):
            raise
        except Exception:
            self._context.handle_end_request()
            raise
        else:
            self._context.handle_end_request()
            return result
        finally:
            self._context.messages.clear()
            metrics.BREAKER_OPEN.set(0 if self.state == "closed" else 1)

    def _refusal(self) -> BreakerOpen:
        metrics.REFUSED.inc()
        return BreakerOpen(
            "the carrier keeps failing and is not asked for a moment", retry_after=max(1, round(self._ttl))
        )

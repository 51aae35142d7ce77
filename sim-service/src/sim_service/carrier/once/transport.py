"""Sends one request to 1NCE and maps every failure to the errors of `sim_service.carrier.errors`.

Each attempt waits for the rate limiter, passes the circuit breaker, has limits of time and size, and is
measured. No attempt lasts beyond the request's deadline: its caller may have given up by then. Retried are
only idempotent operations, and requests that were certainly not carried out: no connection, or a 401 or 429
after which the outcome check found no effect.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)
from tenacity.stop import stop_base

from fleet_kit.errors import FleetError
from sim_service.carrier import metrics
from sim_service.carrier.breaker import Breaker
from sim_service.carrier.errors import (
    CarrierBadAnswer,
    CarrierCredentialsRejected,
    CarrierRateLimited,
    CarrierUnavailable,
)
from sim_service.carrier.models import Priority
from sim_service.carrier.once.operations import Operation, unavailable
from sim_service.carrier.once.outcome_check import OutcomeCheck
from sim_service.carrier.once.request import TIME_BUDGETS, PendingRequest, TimeBudget
from sim_service.carrier.once.responses import Answer, Throttled, TokenRefused, interpret, read_body
from sim_service.carrier.once.tokens import TokenSource
from sim_service.carrier.rate_limiter import RateLimiter
from sim_service.carrier.time_limit import current_deadline

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class NotSent(CarrierUnavailable):
    """No connection, or no time left: the carrier never saw the request."""


class Transport:
    """Sends operations. `versions`: API versions that are switched on; `max_bytes`: largest response read.

    `lanes`: rate limiters of the groups of paths that have a limit of their own; `limiter` serves all others.
    `list_lag`: seconds after which the carrier's lists show what it has done.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        tokens: TokenSource,
        limiter: RateLimiter,
        breaker: Breaker,
        *,
        lanes: Mapping[str, RateLimiter] | None = None,
        url: str,
        versions: Collection[str],
        budgets: Mapping[Priority, TimeBudget] = TIME_BUDGETS,
        max_bytes: int = 8 * 1024 * 1024,
        throttle_seconds: float = 1.0,
        list_lag: float = 1.0,
    ) -> None:
        self._http, self._tokens, self._limiter, self._breaker = http, tokens, limiter, breaker
        self._lanes = lanes or {}
        self._url, self._versions = url, frozenset(versions)
        self._budgets, self._max_bytes, self._throttle_seconds = budgets, max_bytes, throttle_seconds
        self._list_lag = list_lag

    def version_of(self, operation: Operation) -> str:
        """The best version of the operation that is switched on; raises CarrierOperationUnavailable."""
        usable = [version for version in operation.versions if version in self._versions]
        if not usable:
            raise unavailable(operation)
        return usable[0]

    async def send(
        self,
        operation: Operation,
        *,
        priority: Priority,
        iccid: str = "",
        item: str = "",
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        outcome_check: OutcomeCheck | None = None,
    ) -> Answer:
        """The answer of a success. `outcome_check`: for what must not be repeated; None: no list shows it."""
        version = self.version_of(operation)
        url = f"{self._url}/{version}{operation.path.format(iccid=iccid, item=item)}"
        deadline = min(time.monotonic() + self._budgets[priority].total_seconds, current_deadline())
        request = PendingRequest(
            operation, version, url, dict(params or {}), body, priority, deadline, outcome_check
        )
        try:
            return await self._with_retries(request)
        except TokenRefused:
            raise CarrierCredentialsRejected("the carrier refuses a fresh access token") from None
        except Throttled as throttled:
            wait = throttled.retry_after or self._throttle_seconds
            raise CarrierRateLimited(
                "the carrier asks to slow down", retry_after=max(1, round(wait))
            ) from None

    async def _with_retries(self, request: PendingRequest) -> Answer:
        budget = self._budgets[request.priority]
        retrying = AsyncRetrying(
            stop=stop_after_attempt(budget.tries) | _StopAtDeadline(request),
            wait=_wait,
            retry=retry_if_exception(request.may_repeat),
            reraise=True,
        )
        return await retrying(self._once, request)

    async def _once(self, request: PendingRequest) -> Answer:
        try:
            return await self._breaker.call(lambda: self._try(request))
        except (TokenRefused, Throttled):
            await request.ensure_not_carried_out(after=self._list_lag)
            raise

    async def _try(self, request: PendingRequest) -> Answer:
        token = await self._tokens.get(refused=request.refused_token, max_wait=request.left)
        await self._limiter_of(request).acquire(request.priority, max_wait=request.longest_wait)
        if not request.has_time_to_send:
            raise NotSent("the carrier was not asked in time")
        started = time.monotonic()
        outcome = "ok"
        try:
            return await self._exchange(request, token)
        except TokenRefused:
            request.refused_token, outcome = token, "token_refused"
            raise
        except Throttled as throttled:
            outcome = "throttled"
            await self._limiter_of(request).pause(throttled.retry_after or self._throttle_seconds)
            raise
        except FleetError as error:
            outcome = error.code.lower()
            raise
        finally:
            metrics.REQUESTS.labels(request.operation.name, request.version, outcome).inc()
            metrics.SECONDS.labels(request.operation.name).observe(time.monotonic() - started)

    def _limiter_of(self, request: PendingRequest) -> RateLimiter:
        return self._lanes.get(request.operation.lane, self._limiter)

    async def _exchange(self, request: PendingRequest, token: str) -> Answer:
        http_request = self._http.build_request(
            request.operation.method,
            request.url,
            params=request.params,
            json=request.body,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        )
        try:
            # As much as is left at most: a call may never take longer than its budget.
            async with asyncio.timeout(min(self._budgets[request.priority].try_seconds, request.left)):
                response = await self._http.send(http_request, stream=True)
                try:
                    content = await read_body(response, max_bytes=self._max_bytes)
                finally:
                    await response.aclose()
            return interpret(request.operation, response, content)
        except _NOT_SENT as error:
            raise NotSent("the carrier cannot be reached") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise request.lost_answer("the carrier gave no whole answer in time") from error
        except (CarrierBadAnswer, CarrierUnavailable) as error:
            unreadable = isinstance(error, CarrierBadAnswer)
            raise request.lost_answer(error.message, unreadable=unreadable) from error


class _StopAtDeadline(stop_base):
    """Stops where the next attempt would begin after the request's deadline."""

    def __init__(self, request: PendingRequest) -> None:
        self._request = request

    def __call__(self, retry_state: RetryCallState) -> bool:
        return retry_state.upcoming_sleep >= self._request.left


_growing = wait_exponential_jitter(multiplier=0.2, max=10, jitter=0.2)


def _wait(state: RetryCallState) -> float:
    """No wait after 401 (a new token helps) and 429 (the rate limiter already holds back all requests)."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, TokenRefused | Throttled):
        return 0.0
    return _growing(state)

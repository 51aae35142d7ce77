"""One call to 1NCE, with everything that can go wrong on the way turned into our errors.

Each try takes its turn under the rate limit, passes the breaker, is bounded in time and size and is measured.
None begins after the call's deadline: whoever asked may have been given up by then.
Retried is only what may be repeated, or what certainly was not carried out: without a connection, or refused
with 401 or 429 and not to be seen by a look.
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
    stop_before_delay,
    wait_exponential_jitter,
)

from fleet_kit.errors import FleetError
from sim_service.carrier import metrics
from sim_service.carrier.breaker import Breaker
from sim_service.carrier.errors import (
    CarrierBadAnswer,
    CarrierCredentialsRejected,
    CarrierRateLimited,
    CarrierUnavailable,
)
from sim_service.carrier.facts import Priority
from sim_service.carrier.once.answers import Answer, Throttled, TokenRefused, interpret, read
from sim_service.carrier.once.calls import PATIENCE, Call, Patience
from sim_service.carrier.once.looking import Look
from sim_service.carrier.once.operations import Operation
from sim_service.carrier.once.tokens import TokenSource
from sim_service.carrier.turns import Turns

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class NotSent(CarrierUnavailable):
    """No connection, or no time left for it: the carrier never saw the request."""


class Transport:
    """Sends operations. `versions`: API versions that are switched on; `most_bytes`: largest answer read.

    `lanes`: turns of the groups of paths that have a rate limit of their own; `turns` are everybody else's.
    `list_lag`: seconds after which the carrier's lists show what it has done.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        tokens: TokenSource,
        turns: Turns,
        breaker: Breaker,
        *,
        lanes: Mapping[str, Turns] | None = None,
        url: str,
        versions: Collection[str],
        patience: Mapping[Priority, Patience] = PATIENCE,
        most_bytes: int = 8 * 1024 * 1024,
        throttle_seconds: float = 1.0,
        list_lag: float = 1.0,
    ) -> None:
        self._http, self._tokens, self._turns, self._breaker = http, tokens, turns, breaker
        self._lanes = lanes or {}
        self._url, self._versions = url, frozenset(versions)
        self._patience, self._most_bytes, self._throttle_seconds = patience, most_bytes, throttle_seconds
        self._list_lag = list_lag

    def version_of(self, operation: Operation) -> str:
        """The API version that the operation goes to; raises CarrierOperationUnavailable."""
        return operation.version(self._versions)

    async def send(
        self,
        operation: Operation,
        *,
        priority: Priority,
        iccid: str = "",
        item: str = "",
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        look: Look | None = None,
    ) -> Answer:
        """The answer of a success; raises the errors of `sim_service.carrier.errors`.

        `look`: tells whether what must not be repeated may have been carried out; None: nothing can tell.
        """
        version = self.version_of(operation)
        call = Call(
            operation,
            version,
            f"{self._url}/{version}{operation.path.format(iccid=iccid, item=item)}",
            dict(params or {}),
            body,
            priority,
            time.monotonic() + self._patience[priority].total_seconds,
            look,
        )
        try:
            return await self._with_retries(call)
        except TokenRefused:
            raise CarrierCredentialsRejected("the carrier refuses a fresh access token") from None
        except Throttled as throttled:
            wait = throttled.retry_after or self._throttle_seconds
            raise CarrierRateLimited(
                "the carrier asks to slow down", retry_after=max(1, round(wait))
            ) from None

    async def _with_retries(self, call: Call) -> Answer:
        patience = self._patience[call.priority]
        retrying = AsyncRetrying(
            stop=stop_after_attempt(patience.tries) | stop_before_delay(patience.total_seconds),
            wait=_wait,
            retry=retry_if_exception(call.may_repeat),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(call)
        raise AssertionError("unreachable: a try returns or raises")

    async def _once(self, call: Call) -> Answer:
        try:
            return await self._breaker.call(lambda: self._try(call))
        except (TokenRefused, Throttled):
            await call.ensure_not_done(after=self._list_lag)
            raise

    async def _try(self, call: Call) -> Answer:
        token = await self._tokens.get(refused=call.refused_token, longest_wait=call.left)
        await self._turns_of(call).take(call.priority, longest_wait=call.left)
        if call.left <= 0:
            raise NotSent("the carrier was not asked in time")
        started = time.monotonic()
        outcome = "ok"
        try:
            return await self._exchange(call, token)
        except TokenRefused:
            call.refused_token, outcome = token, "token_refused"
            raise
        except Throttled as throttled:
            outcome = "throttled"
            await self._turns_of(call).hold(throttled.retry_after or self._throttle_seconds)
            raise
        except FleetError as error:
            outcome = error.code.lower()
            raise
        finally:
            metrics.REQUESTS.labels(call.operation.name, call.version, outcome).inc()
            metrics.SECONDS.labels(call.operation.name).observe(time.monotonic() - started)

    def _turns_of(self, call: Call) -> Turns:
        return self._lanes.get(call.operation.lane, self._turns)

    async def _exchange(self, call: Call, token: str) -> Answer:
        request = self._http.build_request(
            call.operation.method,
            call.url,
            params=call.params,
            json=call.body,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        )
        try:
            async with asyncio.timeout(self._patience[call.priority].try_seconds):
                response = await self._http.send(request, stream=True)
                try:
                    content = await read(response, most_bytes=self._most_bytes)
                finally:
                    await response.aclose()
        except _NOT_SENT as error:
            raise NotSent("the carrier cannot be reached") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise call.lost("the carrier gave no whole answer in time") from error
        except CarrierBadAnswer as error:
            raise call.lost(error.message, unreadable=True) from error
        return self._read(call, response, content)

    def _read(self, call: Call, response: httpx.Response, content: bytes) -> Answer:
        try:
            return interpret(call.operation, response, content)
        except CarrierBadAnswer as error:
            raise call.lost(error.message, unreadable=True) from error
        except CarrierUnavailable as error:
            raise call.lost(error.message) from error


_growing = wait_exponential_jitter(multiplier=0.2, max=10, jitter=0.2)


def _wait(state: RetryCallState) -> float:
    """A new token and a freed turn need no further wait: turns are held back for everybody by then."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, TokenRefused | Throttled):
        return 0.0
    return _growing(state)

"""Calls to another service: time-outs, retries of what is safe, a breaker."""

from collections.abc import Mapping
from typing import Any

import httpx
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from fleet_kit.errors import Unavailable
from fleet_kit.request_id import HEADER, current_request_id

SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class ServiceClient:
    """One other service. Only methods that may be repeated are retried; a dead service fails at once."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, name: str) -> None:
        self._http, self._base, self._name = http, base_url, name
        self._breakers = AsyncCircuitBreakerFactory(default_threshold=5, default_ttl=10)

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """The response, whatever its status below 500; raises Unavailable when the service is away."""
        tries = 3 if method.upper() in SAFE else 1
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(tries),
                wait=wait_exponential_jitter(multiplier=0.1, max=1),
                retry=retry_if_exception_type(httpx.HTTPError),
                reraise=True,
            ):
                with attempt:
                    return await self._once(method, path, dict(headers or {}), options)
        except (httpx.HTTPError, OpenedState) as error:
            raise Unavailable(f"{self._name} is away, try again") from error
        raise AssertionError("unreachable: a try returns or raises")

    async def _once(
        self, method: str, path: str, headers: dict[str, str], options: dict[str, Any]
    ) -> httpx.Response:
        if request_id := current_request_id():
            headers[HEADER] = request_id
        breaker = await self._breakers.get_breaker(self._name)
        async with breaker:
            response = await self._http.request(method, self._base + path, headers=headers, **options)
            if response.status_code >= 500:
                response.raise_for_status()
            return response


def open_http(*, timeout_seconds: float = 3.0) -> httpx.AsyncClient:
    """The client that a process shares; closes with the process."""
    return httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False, trust_env=False)

"""A 1NCE client in front of a scripted answerer."""

import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from redis.asyncio import Redis

from sim_service.carrier.breaker import Breaker
from sim_service.carrier.models import Priority
from sim_service.carrier.once.carrier import OnceCarrier
from sim_service.carrier.once.request import TimeBudget
from sim_service.carrier.once.tokens import TokenSource
from sim_service.carrier.once.transport import Transport
from sim_service.carrier.rate_limiter import LocalReservationStore, RateLimiter

Answer = httpx.Response | Exception
Answerer = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
ICCID = "8988280666000000000"
OLD_TOKEN, NEW_TOKEN = "o" * 3000, "n" * 3000


def time_budgets(*, try_seconds: float) -> dict[Priority, TimeBudget]:
    """Time budgets with the real numbers of tries."""
    return {
        Priority.INTERACTIVE: TimeBudget(tries=2, try_seconds=try_seconds, total_seconds=6 * try_seconds),
        Priority.LISTING: TimeBudget(tries=6, try_seconds=try_seconds, total_seconds=40 * try_seconds),
        Priority.BACKGROUND: TimeBudget(tries=6, try_seconds=try_seconds, total_seconds=40 * try_seconds),
    }


SHORT_TIME_BUDGETS = time_budgets(try_seconds=0.5)
"""For calls that are to time out: on a busy machine, any call may exceed these."""


@dataclass
class Script:
    """Answers token requests itself, everything else from `answers` in order (the last one repeats)."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    token_requests: int = 0
    token_answer: Callable[[], httpx.Response] | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/token"):
            self.token_requests += 1
            return self.token_answer() if self.token_answer else token(NEW_TOKEN)
        self.requests.append(request)
        self.moments.append(time.monotonic())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


def token(value: str, *, seconds: float = 3600) -> httpx.Response:
    body = {"status_code": 200, "access_token": value, "token_type": "bearer", "expires_in": seconds}
    return httpx.Response(200, json=body)


def ok(body: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(200, json=body, headers=headers)


def html(status: int) -> httpx.Response:
    page = "<html><body><h1>Service Unavailable</h1></body></html>"
    return httpx.Response(status, text=page, headers={"content-type": "text/html"})


def truncated(body: bytes = b'[{"iccid": "89882') -> httpx.Response:
    return httpx.Response(200, content=body, headers={"content-type": "application/json"})


def token_source(script: Answerer, redis: Redis, **options: Any) -> TokenSource:
    http = httpx.AsyncClient(transport=httpx.MockTransport(script))
    names: dict[str, Any] = {"url": "https://carrier/base", "client_id": "me", "client_secret": "pw"}
    return TokenSource(http, redis, **(names | options))


def transport(script: Answerer, redis: Redis, **options: Any) -> Transport:
    http = httpx.AsyncClient(transport=httpx.MockTransport(script))
    given: dict[str, Any] = {
        "url": "https://carrier/base",
        "versions": ("v2", "v1"),
        "budgets": time_budgets(try_seconds=30),
        "throttle_seconds": 0.05,
        "list_lag": 0.05,
    }
    breaker = options.pop("breaker", None) or Breaker("test", threshold=20, ttl=0.2)
    limiter = options.pop("limiter", None) or RateLimiter(LocalReservationStore(10_000))
    tokens = options.pop("tokens", None) or token_source(script, redis)
    return Transport(http, tokens, limiter, breaker, **(given | options))


def carrier(script: Answerer, redis: Redis, **options: Any) -> OnceCarrier:
    return OnceCarrier(transport(script, redis, **options))


def sim(iccid: str = ICCID, **fields: Any) -> dict[str, Any]:
    """A SIM as the carrier writes it; what is None is left out, as there."""
    known = {"iccid": iccid, "status": "Enabled", "imsi": "901405100000018", "label": "pump"} | fields
    return {name: value for name, value in known.items() if value is not None}

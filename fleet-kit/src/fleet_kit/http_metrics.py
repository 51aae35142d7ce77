"""Prometheus metrics of requests, named and served by prometheus-fastapi-instrumentator.

Its own middleware finds the route of each request a second time, which costs as much as a small endpoint;
here the route is read from the scope, where the router has left it.
"""

from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from prometheus_client import Counter, Histogram
from prometheus_fastapi_instrumentator import Instrumentator

REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "handler", "status"])
SECONDS = Histogram(
    "http_request_duration_seconds", "Time until the answer was complete", ["method", "handler"]
)
_NOT_COUNTED = frozenset({"/metrics", "/health"})


def observe(scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
    """Count a request that has been answered; `handler` is the route's template, never the path itself."""
    handler = getattr(scope.get("route"), "path", None) or "none"
    if handler not in _NOT_COUNTED:
        count, duration = _children(scope["method"], handler, f"{status // 100}xx")
        count.inc()
        duration.observe(seconds)


@lru_cache(maxsize=4096)
def _children(method: str, handler: str, status: str) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, handler, status), SECONDS.labels(method, handler)


def add_metrics(app: FastAPI) -> None:
    """Serve `GET /metrics`."""
    Instrumentator().expose(app, include_in_schema=False)

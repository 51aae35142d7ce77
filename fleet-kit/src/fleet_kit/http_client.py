"""HTTP clients for calls to other services. All are made here: see `fleet_kit.cancel_safe_transport`."""

import ssl
from functools import cache

import httpx

from fleet_kit.cancel_safe_transport import CancelSafeTransport

CONNECTIONS = 100
"""Connections of one client, unless it says otherwise: as many as httpx itself allows."""


@cache
def tls_context() -> ssl.SSLContext:
    """The certificates that all clients of a process trust; reading them takes some 50 ms of CPU."""
    return httpx.create_ssl_context(trust_env=False)


def open_http(
    *,
    timeout_seconds: httpx.Timeout | float = 3.0,
    connections: int = CONNECTIONS,
    base_url: str = "",
    auth: tuple[str, str] | None = None,
) -> httpx.AsyncClient:
    """A client whose calls may be cancelled at any time; `timeout_seconds` is that of each step of a call."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=min(connections, 20))
    pool = httpx.AsyncHTTPTransport(verify=tls_context(), limits=limits, trust_env=False)
    return httpx.AsyncClient(
        transport=CancelSafeTransport(pool, connections),
        timeout=timeout_seconds,
        base_url=base_url,
        auth=auth,
        follow_redirects=False,
        trust_env=False,
    )

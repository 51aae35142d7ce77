"""HTTP clients for calls to other services."""

import ssl
from functools import cache

import httpx


@cache
def tls_context() -> ssl.SSLContext:
    """The certificates that all clients of a process trust; reading them takes some 50 ms of CPU."""
    return httpx.create_ssl_context(trust_env=False)


def open_http(*, timeout_seconds: float = 3.0) -> httpx.AsyncClient:
    """The client that a process shares; closes with the process."""
    return httpx.AsyncClient(
        verify=tls_context(), timeout=timeout_seconds, follow_redirects=False, trust_env=False
    )

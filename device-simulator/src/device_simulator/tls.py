"""Trusted certificates, read once: that takes some 50 ms of CPU, and HTTP devices have a client each."""

import ssl
from functools import cache

import httpx


@cache
def tls_context() -> ssl.SSLContext:
    """What all HTTP clients of the simulator verify servers with."""
    return httpx.create_ssl_context()

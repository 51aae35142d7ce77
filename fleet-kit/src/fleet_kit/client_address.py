"""Where a request comes from, for limits."""

import ipaddress
from collections.abc import Mapping
from typing import Any

IPV6_PREFIX = 64
_GATEWAYS_OWN = b"x-real-ip"


def client_address(scope: Mapping[str, Any]) -> str:
    """The address of the client of an ASGI connection; of IPv6 its /64, which one subscriber has.

    It is that of the connection, or what a trusted proxy (`TRUSTED_PROXIES`) says in X-Forwarded-For: `serve`
    has put it there. A client that is no proxy cannot choose it.
    """
    host: str = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped or ipaddress.IPv6Network((int(address), IPV6_PREFIX), strict=False))


def came_through_gateway(scope: Mapping[str, Any]) -> bool:
    """Whether the request is from outside: the gateway adds a header that services do not send each other."""
    return any(name == _GATEWAYS_OWN for name, _ in scope["headers"])

"""Addresses of this API as its caller knows it."""

from fastapi import Request

from once_sandbox.orders.models import Order
from once_sandbox.world import World


def base_of(request: Request, world: World) -> str:
    """Scheme, host and prefix by which the caller reached the sandbox, or the host that is set."""
    prefix: str = request.scope.get("once_prefix", "")
    host = world.behaviours.location_host or f"{request.url.scheme}://{request.url.netloc}"
    return f"{host}{prefix}"


def order_location(request: Request, world: World, order: Order) -> str:
    """Where the order can be read; v2's top-up names a v2 address, as its specification does."""
    version = request.url.path.split("/")[1]
    return f"{base_of(request, world)}/{version}/orders/{order.number}"

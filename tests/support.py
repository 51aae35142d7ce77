"""Help for the tests across services."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from fleet_infra.producers import make_producer


def amqp_url(fleet: Mapping[str, Any], user: str, password: str) -> str:
    """The broker's AMQP address with a login."""
    place = urlsplit(fleet["amqp_url"])
    return f"amqp://{quote(user, safe='')}:{password}@{place.hostname}:{place.port}/"


def producer_url(fleet: Mapping[str, Any], name: str = "line-gateway") -> str:
    """The same with the login of a trusted producer."""
    return amqp_url(fleet, name, make_producer(fleet, name))

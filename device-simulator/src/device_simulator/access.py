"""Where the fleet is and how to log in.

From the command line, the environment, or the access file that `make up` writes, in this order.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from device_simulator.errors import CannotStart
from device_simulator.links.addresses import Addresses

DEFAULT_FILE = Path(".fleet/access.json")
PASSWORD_VARIABLE = "FLEET_PASSWORD"
AMQP_USER_VARIABLE = "FLEET_AMQP_USER"
AMQP_PASSWORD_VARIABLE = "FLEET_AMQP_PASSWORD"


@dataclass(frozen=True, slots=True)
class Access:
    """The doors, and the login that owns the devices."""

    addresses: Addresses
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line or the environment says instead of the access file."""

    gateway_url: str | None = None
    email: str | None = None
    mqtt: str | None = None
    amqp: str | None = None


def read_access(path: Path | None, overrides: Overrides) -> Access:
    """Put the three sources together. Raises CannotStart with the one thing that is missing."""
    known = _read(path)
    gateway = overrides.gateway_url or known.get("gateway_url", "http://localhost:8080")
    host = urlsplit(gateway).hostname or "localhost"
    mqtt_host, mqtt_port = _split(overrides.mqtt, known.get("mqtt_host", host), known.get("mqtt_port", 1883))
    amqp = urlsplit(known.get("amqp_url", f"amqp://{host}:5672/"))
    amqp_host, amqp_port = _split(overrides.amqp, amqp.hostname or host, amqp.port or 5672)
    addresses = Addresses(
        gateway,
        mqtt_host,
        mqtt_port,
        amqp_host,
        amqp_port,
        _vhost(amqp.path),
        *_producer(amqp if overrides.amqp is None else None),
    )
    email = overrides.email or known.get("demo_email")
    password = os.environ.get(PASSWORD_VARIABLE) or (
        known.get("demo_password") if email == known.get("demo_email") else None
    )
    if not email:
        raise CannotStart("no login: give --email, or --access with the file that `make up` writes")
    if not password:
        raise CannotStart(f"no password for {email}: set {PASSWORD_VARIABLE}")
    return Access(addresses, email, password)


def _read(path: Path | None) -> dict[str, Any]:
    if path is None and not DEFAULT_FILE.exists():
        return {}
    source = path or DEFAULT_FILE
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotStart(f"{source} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CannotStart(f"{source} does not hold an object")
    return content


def _split(address: str | None, host: str, port: int | str) -> tuple[str, int]:
    if address is None:
        return host, int(port)
    name, _, number = address.rpartition(":")
    if not name or not number.isdigit():
        raise CannotStart(f"{address!r} is not host:port")
    return name, int(number)


def _producer(known: SplitResult | None) -> tuple[str, str]:
    """Login for AMQP; the access file's is for the broker that the file names, and no other."""
    user, password = (os.environ.get(name, "") for name in (AMQP_USER_VARIABLE, AMQP_PASSWORD_VARIABLE))
    if bool(user) != bool(password):
        raise CannotStart(f"set both {AMQP_USER_VARIABLE} and {AMQP_PASSWORD_VARIABLE}, or neither")
    if user or known is None:
        return user, password
    return unquote(known.username or ""), unquote(known.password or "")


def _vhost(path: str) -> str:
    return unquote(path[1:]) or "/"

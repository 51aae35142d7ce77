"""`make broker-user`: a login with which a trusted producer publishes telemetry over AMQP."""

import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from fleet_contracts.topology import SERVICES_VHOST, TELEMETRY_EXCHANGE, telemetry_key
from fleet_infra.broker_users import PRODUCER, producer
from fleet_infra.definitions import permission_entry, user_entry
from fleet_infra.errors import CannotStart

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_RESERVED = "fleet-"
LIMITS = {"max-connections": 20, "max-channels": 100}
"""What one producer may have open at the broker."""
_TELEMETRY_KEYS = re.escape(telemetry_key("*")).replace(re.escape("*"), r"[^.]+")


def make_producer(access: Mapping[str, Any], name: str) -> str:
    """Make the user at the running broker, or give it a new password; returns the password.

    `access`: the content of access.json. Raises CannotStart for a name that is not possible or not a
    producer's, or when the broker does not run.
    """
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
        raise CannotStart(
            "NAME must be 1 to 63 of a-z, 0-9 and -, begin with a letter, "
            f"and not with {_RESERVED}: make broker-user NAME=line-gateway"
        )
    management = f"{access['rabbitmq_management_url']}/api"
    login = (access["rabbitmq_user"], access["rabbitmq_password"])
    try:
        with httpx.Client(base_url=management, auth=login, timeout=10, trust_env=False) as broker:
            return _put(broker, name)
    except httpx.TransportError as error:
        raise CannotStart("The broker is not running; start the fleet with `make up`.") from error
    except httpx.HTTPStatusError as error:
        answer = error.response
        said = f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
        raise CannotStart(f"The broker did not make the user ({said}); try again.") from error


def _put(broker: httpx.Client, name: str) -> str:
    password = secrets.token_urlsafe(24)
    wanted = producer(name, password)
    rights = permission_entry(wanted, SERVICES_VHOST)
    known = broker.get(f"/users/{name}")
    if known.is_success and not _is_producer(broker, name, known.json()["tags"], rights):
        raise CannotStart(f"The broker has a user {name} that is no producer; choose another name.")
    path = f"{quote(SERVICES_VHOST, safe='')}/{name}"
    topics = {"exchange": TELEMETRY_EXCHANGE, "write": f"^{_TELEMETRY_KEYS}$", "read": "^$"}
    # The permissions come last, since without limits on topics they would allow every topic.
    for address, body in (
        (f"/users/{name}", user_entry(wanted)),
        *((f"/user-limits/{name}/{limit}", {"value": value}) for limit, value in LIMITS.items()),
        (f"/topic-permissions/{path}", topics),
        (f"/permissions/{path}", rights),
    ):
        broker.put(address, json=body).raise_for_status()
    return password


def _is_producer(broker: httpx.Client, name: str, tags: list[str], rights: Mapping[str, str]) -> bool:
    """By its tag; an earlier version gave none, and is told by exactly a producer's rights."""
    return PRODUCER in tags or (not tags and broker.get(f"/users/{name}/permissions").json() == [rights])

"""`make broker-user`: a login with which a trusted producer publishes telemetry over AMQP."""

import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from fleet_contracts.topology import TELEMETRY_EXCHANGE, telemetry_key
from fleet_infra.broker_users import producer
from fleet_infra.definitions import permission_entry, user_entry
from fleet_infra.errors import CannotStart

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_RESERVED = "fleet-"
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


def _put(broker: httpx.Client, name: str) -> str:
    password = secrets.token_urlsafe(24)
    wanted = producer(name, password)
    rights = permission_entry(wanted, vhost="/")
    path = f"{quote(rights['vhost'], safe='')}/{name}"
    known = broker.get(f"/permissions/{path}")
    if broker.get(f"/users/{name}").is_success and not (known.is_success and known.json() == rights):
        raise CannotStart(f"The broker has a user {name} that is no producer; choose another name.")
    topics = {"exchange": TELEMETRY_EXCHANGE, "write": f"^{_TELEMETRY_KEYS}$", "read": "^$"}
    # The permissions come last, since without limits on topics they would allow every topic.
    for address, body in (
        (f"/users/{name}", user_entry(wanted)),
        (f"/topic-permissions/{path}", topics),
        (f"/permissions/{path}", rights),
    ):
        broker.put(address, json=body).raise_for_status()
    return password

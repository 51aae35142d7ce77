"""What a device may do at the broker. Everything that is not named here is refused.

Over MQTT, the only protocol that devices may use, they publish readings to their own topic and subscribe to
their own commands.
RabbitMQ's MQTT plugin keeps a subscription in the queue `mqtt-subscription-<client id>qos<0|1>`, so a device
that subscribes must use its id as client id. With other client ids it could keep any number of such queues,
and with other topics any number of bindings.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from fleet_contracts.topology import TELEMETRY_EXCHANGE, subscription_queues, telemetry_key

_ALL = frozenset({"configure", "write", "read"})


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One question of the broker: may `device_id` do `permission` to the resource `name` of that `kind`?"""

    device_id: str
    kind: str
    name: str
    permission: str
    routing_key: str = ""


def may_use_resource(access: AccessRequest) -> bool:
    """Queues and exchanges: its own subscriptions, and the telemetry exchange without configuring it."""
    if access.kind == "exchange":
        return access.name == TELEMETRY_EXCHANGE and access.permission in {"write", "read"}
    if access.kind == "queue" and access.permission in _ALL:
        return access.name in subscription_queues(access.device_id)
    return False


def may_use_topic(access: AccessRequest) -> bool:
    """Topics: write its own telemetry, read its own commands."""
    if access.kind != "topic" or access.name != TELEMETRY_EXCHANGE:
        return False
    if access.permission == "write":
        return access.routing_key == telemetry_key(access.device_id)
    commands = f"devices.{access.device_id}.commands"
    return access.permission == "read" and access.routing_key in {commands, f"{commands}.#"}


def device_of_user(username: str) -> UUID | None:
    """The device that a user of the broker is: its id, in the one spelling that topics are written with."""
    try:
        device_id = UUID(username)
    except ValueError:
        return None
    return device_id if str(device_id) == username else None


def claimed_device(client_id: str) -> str | None:
    """The device whose id an MQTT client id begins with: a session under it belongs to that device."""
    found = re.match(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])", client_id)
    return found[0] if found else None

"""What devices may occupy at the broker: limits of their virtual host, and the policy of their queues."""

from dataclasses import dataclass
from typing import Any

from fleet_contracts.topology import SUBSCRIPTION_PREFIX, Policy

QUEUES_OF_A_DEVICE = 2
"""One for each quality of service: a device subscribes under one client id only, its own."""
SUBSCRIPTION_EXPIRES_SECONDS = 86_400
"""A subscription whose device does not come back for this long is forgotten."""
SUBSCRIPTION_MESSAGES = 1_000
"""Messages that wait in one subscription; the oldest give way."""
SUBSCRIPTION_BYTES = 1_048_576
"""Bytes that wait in one subscription; the oldest messages give way."""
SUBSCRIPTIONS = Policy(
    "device-subscriptions",
    f"^{SUBSCRIPTION_PREFIX}",
    {
        "max-length": SUBSCRIPTION_MESSAGES,
        "max-length-bytes": SUBSCRIPTION_BYTES,
        "overflow": "drop-head",
        "expires": SUBSCRIPTION_EXPIRES_SECONDS * 1000,
    },
)
"""The bounds of every subscription, in the devices' virtual host."""
OTHER_CONNECTIONS = 100
"""Room for the connections of the services there; device-service refuses devices before it is taken."""
OTHER_QUEUES = 100
"""Room for the queues of the services in the devices' virtual host."""


@dataclass(frozen=True)
class DeviceLimits:
    """Sizes of the devices' virtual host."""

    max_connections: int
    """MQTT sessions open at a time, of all devices."""

    def parameter(self, vhost: str) -> dict[str, Any]:
        """The limits of the virtual host, as an entry of RabbitMQ's definitions."""
        limits = {
            "max-connections": self.max_connections + OTHER_CONNECTIONS,
            "max-queues": QUEUES_OF_A_DEVICE * self.max_connections + OTHER_QUEUES,
        }
        return {"vhost": vhost, "component": "vhost-limits", "name": "limits", "value": limits}

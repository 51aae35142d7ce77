"""The broker's users: one for each service with the least it needs, an administrator, one for people, and
one that closes sessions of devices: only an administrator may close those of others."""

import re
from dataclasses import replace

from fleet_contracts import topology
from fleet_contracts.topology import DEVICES_VHOST, SERVICES_VHOST
from fleet_infra.definitions import EVERYTHING, BrokerUser, Rights
from fleet_infra.secret_store import Secrets

BROKER_ADMIN = "fleet-admin"
"""Who sees and may do everything; for operations."""
PRODUCER = "producer"
"""Tag of trusted producers. RabbitMQ gives it no meaning; it tells them from users of other origin."""
OWN_QUEUE = r"amq\.gen-.*"
"""Queues that the broker names: only the connection that made one can use it."""

EVENTS = topology.EVENTS_EXCHANGE.replace(".", r"\.")
DEAD = topology.DEAD_EXCHANGE.replace(".", r"\.")
TELEMETRY = topology.TELEMETRY_EXCHANGE.replace(".", r"\.")
DEFAULT = r"amq\.default"
SUBSCRIPTIONS = topology.SUBSCRIPTION_PREFIX + ".*"


def broker_users(secrets: Secrets) -> list[BrokerUser]:
    """Users with passwords and permissions. Devices are not among them: device-service answers for those."""
    return [
        BrokerUser(BROKER_ADMIN, secrets.rabbitmq_admin, _everywhere(EVERYTHING), ("administrator",)),
        BrokerUser("fleet-access", secrets.rabbitmq_access, _everywhere(_ACCESS), ("monitoring",)),
        BrokerUser("fleet-sessions", secrets.rabbitmq_sessions, _SESSIONS, ("administrator",)),
        _service("signing", secrets.rabbitmq_signing, queue=None),
        _service("device", secrets.rabbitmq_device, queue=topology.DEVICE_EVENTS.name, write=(TELEMETRY,)),
        _service("sim", secrets.rabbitmq_sim, queue=topology.SIM_EVENTS.name),
        _monitoring(secrets),
    ]


def producer(name: str, password: str) -> BrokerUser:
    """A trusted producer inside the installation: publishes readings of any device, and declares nothing."""
    return BrokerUser(name, password, {SERVICES_VHOST: Rights(write=_any(TELEMETRY))}, (PRODUCER,))


def _monitoring(secrets: Secrets) -> BrokerUser:
    """Also reads, retries and dead-letters what devices sent."""
    user = _service(
        "monitoring",
        secrets.rabbitmq_monitoring,
        queue=r"monitoring\.(telemetry|events)",
        write=(TELEMETRY,),
    )
    own = rf"{re.escape(topology.DEVICES_TELEMETRY.name)}(\..*)?"
    devices = Rights(write=_any(DEAD, DEFAULT, own), read=_any(own))
    return replace(user, rights={**user.rights, DEVICES_VHOST: devices})


def _service(name: str, password: str, *, queue: str | None, write: tuple[str, ...] = ()) -> BrokerUser:
    """May publish events, receive revocations, and consume, retry and dead-letter messages of its queues."""
    own = (rf"{queue}(\..*)?",) if queue else ()
    rights = Rights(
        configure=_any(OWN_QUEUE),
        write=_any(OWN_QUEUE, EVENTS, DEAD, DEFAULT, *write, *own),
        read=_any(OWN_QUEUE, EVENTS, *own),
    )
    return BrokerUser(f"fleet-{name}", password, {SERVICES_VHOST: rights})


def _any(*patterns: str) -> str:
    return f"^({'|'.join(patterns)})$"


def _everywhere(rights: Rights) -> dict[str, Rights]:
    return dict.fromkeys(topology.QUEUES, rights)


_ACCESS = Rights(configure=_any(OWN_QUEUE, "amq_.*"), write=_any(OWN_QUEUE, "amq_.*", TELEMETRY), read=".*")
# Deletes the subscriptions of a device that is gone; in the services' virtual host it only lists.
_SESSIONS = {SERVICES_VHOST: Rights(), DEVICES_VHOST: Rights(configure=_any(SUBSCRIPTIONS))}

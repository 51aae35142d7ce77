"""The broker's users: one for each service with the least it needs, an administrator, one for people, and
one that closes sessions of devices: only an administrator may close those of others."""

from fleet_contracts import topology
from fleet_infra.definitions import BrokerUser
from fleet_infra.secret_store import Secrets

BROKER_ADMIN = "fleet-admin"
"""Who sees and may do everything; for operations."""
OWN_QUEUE = r"amq\.gen-.*"
"""Queues that the broker names: only the connection that made one can use it."""

EVENTS = topology.EVENTS_EXCHANGE.replace(".", r"\.")
DEAD = topology.DEAD_EXCHANGE.replace(".", r"\.")
TELEMETRY = topology.TELEMETRY_EXCHANGE.replace(".", r"\.")
DEFAULT = r"amq\.default"


def broker_users(secrets: Secrets) -> list[BrokerUser]:
    """Users with passwords and permissions. Devices are not among them: device-service answers for those."""
    return [
        BrokerUser(BROKER_ADMIN, secrets.rabbitmq_admin, ".*", ".*", ".*", ("administrator",)),
        BrokerUser(
            "fleet-access",
            secrets.rabbitmq_access,
            configure=_any(OWN_QUEUE, "amq_.*"),
            write=_any(OWN_QUEUE, "amq_.*", TELEMETRY),
            read=".*",
            tags=("monitoring",),
        ),
        BrokerUser("fleet-sessions", secrets.rabbitmq_sessions, "^$", "^$", "^$", ("administrator",)),
        _service("signing", secrets.rabbitmq_signing, queue=None),
        _service("device", secrets.rabbitmq_device, queue=topology.DEVICE_EVENTS.name, write=(TELEMETRY,)),
        _service("sim", secrets.rabbitmq_sim, queue=topology.SIM_EVENTS.name),
        _service(
            "monitoring",
            secrets.rabbitmq_monitoring,
            queue=r"monitoring\.(telemetry|events)",
            write=(TELEMETRY,),
        ),
    ]


def producer(name: str, password: str) -> BrokerUser:
    """A trusted producer inside the installation: publishes readings of any device, and declares nothing."""
    return BrokerUser(name, password, configure="^$", write=_any(TELEMETRY), read="^$")


def _service(name: str, password: str, *, queue: str | None, write: tuple[str, ...] = ()) -> BrokerUser:
    """May publish events, receive revocations, and consume, retry and dead-letter messages of its queues."""
    own = (rf"{queue}(\..*)?",) if queue else ()
    return BrokerUser(
        f"fleet-{name}",
        password,
        configure=_any(OWN_QUEUE),
        write=_any(OWN_QUEUE, EVENTS, DEAD, DEFAULT, *write, *own),
        read=_any(OWN_QUEUE, EVENTS, *own),
    )


def _any(*patterns: str) -> str:
    return f"^({'|'.join(patterns)})$"

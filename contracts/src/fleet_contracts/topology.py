"""The broker's exchanges, queues and bindings: the only place that names them.

Plain data without a broker library. The broker boots with definitions made from it, so that queues and
bindings exist before the first device can connect; consumers declare the same again, which changes nothing.
"""

from dataclasses import dataclass, field

TELEMETRY_EXCHANGE = "amq.topic"
EVENTS_EXCHANGE = "fleet.events"
DEAD_EXCHANGE = "fleet.dead"

RETRY_DELAYS_SECONDS = (1, 5, 30, 120)
"""Delay before each further attempt of a message; one queue with a time to live for each."""

DELIVERY_LIMIT = 100
"""Crash guard only: attempts are counted in the header ATTEMPTS_HEADER, not by the broker."""

ATTEMPTS_HEADER = "x-fleet-attempts"
REASON_HEADER = "x-fleet-reason"
ORIGIN_HEADER = "x-fleet-queue"
RECEIVED_HEADER = "x-fleet-received"
"""Epoch milliseconds at which a message was first seen by a consumer; keeps arrival time through retries."""


@dataclass(frozen=True)
class Binding:
    """A queue receives from `exchange` what matches `routing_key` (topic pattern)."""

    exchange: str
    routing_key: str


@dataclass(frozen=True)
class Queue:
    """A durable quorum queue with its retry ladder and its dead letters."""

    name: str
    bindings: tuple[Binding, ...] = ()

    @property
    def dead(self) -> str:
        """Name of the queue that keeps this queue's dead letters."""
        return f"{self.name}.dead"

    def retry(self, step: int) -> str:
        """Name of the waiting queue of the given step (0-based, the last step repeats)."""
        return f"{self.name}.retry.{RETRY_DELAYS_SECONDS[min(step, len(RETRY_DELAYS_SECONDS) - 1)]}s"


def telemetry_key(device_id: str) -> str:
    """Routing key of a device's readings; over MQTT the topic `devices/<id>/telemetry` maps to it."""
    return f"devices.{device_id}.telemetry"


def device_of_key(routing_key: str) -> str | None:
    """The device id in a telemetry routing key, or None where the key has another form."""
    parts = routing_key.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == "devices" and parts[2] == "telemetry" else None


def _events(*keys: str) -> tuple[Binding, ...]:
    return tuple(Binding(EVENTS_EXCHANGE, key) for key in keys)


MONITORING_TELEMETRY = Queue("monitoring.telemetry", (Binding(TELEMETRY_EXCHANGE, telemetry_key("*")),))
# API processes hear token.revoked by queues of their own; it is bound here so that it is always routable.
MONITORING_EVENTS = Queue(
    "monitoring.events",
    _events("device.#", "sim.#", "alert.#", "user.#", "organization.#", "token.revoked"),
)
DEVICE_EVENTS = Queue("device.events", _events("telemetry.presence", "sim.#", "organization.#"))
SIM_EVENTS = Queue("sim.events", _events("device.#", "organization.#", "telemetry.volume"))

QUEUES = (MONITORING_TELEMETRY, MONITORING_EVENTS, DEVICE_EVENTS, SIM_EVENTS)


@dataclass(frozen=True)
class Exchange:
    """A durable topic exchange."""

    name: str
    type: str = "topic"


EXCHANGES = (Exchange(EVENTS_EXCHANGE), Exchange(DEAD_EXCHANGE))


@dataclass(frozen=True)
class DeclaredQueue:
    """A queue exactly as the broker has to declare it."""

    name: str
    arguments: dict[str, str | int] = field(default_factory=dict)


def declared_queues() -> list[DeclaredQueue]:
    """Every durable queue of the fleet with its arguments, the same for definitions and declaration."""
    return [declared for queue in QUEUES for declared in declare(queue)]


def declare(queue: Queue) -> list[DeclaredQueue]:
    """The queue itself, its waiting queues and its dead-letter queue."""
    main = DeclaredQueue(
        queue.name,
        {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD_EXCHANGE,
            "x-dead-letter-routing-key": queue.name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )
    dead = DeclaredQueue(queue.dead, {"x-queue-type": "quorum"})
    return [main, *_waiting(queue), dead]


def _waiting(queue: Queue) -> list[DeclaredQueue]:
    return [
        DeclaredQueue(
            queue.retry(step),
            {
                "x-queue-type": "quorum",
                "x-message-ttl": seconds * 1000,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": queue.name,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )
        for step, seconds in enumerate(RETRY_DELAYS_SECONDS)
    ]


def declared_bindings() -> list[tuple[str, str, str]]:
    """(exchange, queue, routing key) of every binding, dead letters included."""
    return [binding for queue in QUEUES for binding in bindings_of(queue)]


def bindings_of(queue: Queue) -> list[tuple[str, str, str]]:
    """(exchange, queue, routing key) of one queue and of its dead letters."""
    own = [(binding.exchange, queue.name, binding.routing_key) for binding in queue.bindings]
    return [*own, (DEAD_EXCHANGE, queue.dead, queue.name)]

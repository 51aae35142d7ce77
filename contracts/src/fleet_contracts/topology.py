"""The broker's exchanges, queues and bindings: the only place that names them.

Plain data without a broker library. The broker boots with definitions made from it, so that queues and
bindings exist before the first device can connect; consumers declare the same again, which changes nothing.
"""

from dataclasses import dataclass, field

SERVICES_VHOST = "/"
"""Virtual host of services and trusted producers."""
DEVICES_VHOST = "devices"
"""Virtual host of devices, which speak MQTT: what they open and fill there is bounded by its limits."""

TELEMETRY_EXCHANGE = "amq.topic"
EVENTS_EXCHANGE = "fleet.events"
DEAD_EXCHANGE = "fleet.dead"

RETRY_DELAYS_SECONDS = (1, 5, 30, 120)
"""Delay before each further attempt of a message; one queue with a time to live for each."""

DELIVERY_LIMIT = 100
"""Crash guard only: attempts are counted in the header ATTEMPTS_HEADER, not by the broker."""

SUBSCRIPTION_PREFIX = "mqtt-subscription-"

NO_DELIVERY_LIMIT = 1_000_000
"""Practically none: RabbitMQ 4 would throw a dead letter away after 20 deliveries; 3.10 knows no "none"."""

MAX_DEAD_LETTERS = 100_000
"""Dead letters that one queue keeps."""

MAX_DEAD_LETTER_BYTES = 128 * 1024 * 1024
"""Bytes of message bodies that one queue of dead letters keeps."""

MAX_TELEMETRY_QUEUE_BYTES = 4 * 1024**3
"""Bytes of readings that wait in one queue. Beyond that the broker confirms none, and who sends keeps them:
a full disk would stop the services' own events as well."""

ATTEMPTS_HEADER = "x-fleet-attempts"
REASON_HEADER = "x-fleet-reason"
ORIGIN_HEADER = "x-fleet-queue"
RECEIVED_HEADER = "x-fleet-received"
"""Epoch milliseconds at which a message was first seen by a consumer; keeps arrival time through retries."""
WATERMARK_HEADER = "x-fleet-watermark"
"""Of a mark, which monitoring-service sends behind the readings of a queue: when, in epoch milliseconds."""
PROPERTIES_HEADER = "x-fleet-properties"
"""Of a message whose properties cannot be decoded: their first MAX_PROPERTIES_BYTES, raw, in base64."""
MAX_PROPERTIES_BYTES = 16 * 1024


@dataclass(frozen=True)
class Binding:
    """A queue receives from `exchange` what matches `routing_key` (topic pattern)."""

    exchange: str
    routing_key: str


@dataclass(frozen=True)
class Queue:
    """A durable quorum queue with its retry ladder and its dead letters.

    `waits_for_dead` says what happens while its dead letters are full: where a consumer reads them, the queue
    waits, and nothing is lost; where only people empty them, further dead letters are dropped and counted.
    """

    name: str
    bindings: tuple[Binding, ...] = ()
    waits_for_dead: bool = False
    has_excess: bool = False
    """Beside it is a queue for what may wait longer than the rest, because its sender sends too much."""

    @property
    def dead(self) -> str:
        """Name of the queue that keeps this queue's dead letters."""
        return f"{self.name}.dead"

    @property
    def excess(self) -> str:
        """Name of the queue for what was sent beyond a limit."""
        return f"{self.name}.excess"

    def retry(self, step: int) -> str:
        """Name of the waiting queue of the given step (0-based, the last step repeats)."""
        return f"{self.name}.retry.{RETRY_DELAYS_SECONDS[min(step, len(RETRY_DELAYS_SECONDS) - 1)]}s"


def telemetry_key(device_id: str) -> str:
    """Routing key of a device's readings; over MQTT the topic `devices/<id>/telemetry` maps to it."""
    return f"devices.{device_id}.telemetry"


def subscription_queues(client_id: str) -> tuple[str, str]:
    """Names under which RabbitMQ's MQTT plugin keeps a client's subscriptions, by quality of service.

    Source: `queue_name_bin` in rabbit_mqtt_util.erl, the same in 3.10 and 4.x.
    """
    return f"{SUBSCRIPTION_PREFIX}{client_id}qos0", f"{SUBSCRIPTION_PREFIX}{client_id}qos1"


def device_of_key(routing_key: str) -> str | None:
    """The device id in a telemetry routing key, or None where the key has another form."""
    parts = routing_key.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == "devices" and parts[2] == "telemetry" else None


def _events(*keys: str) -> tuple[Binding, ...]:
    return tuple(Binding(EVENTS_EXCHANGE, key) for key in keys)


_READINGS = (Binding(TELEMETRY_EXCHANGE, telemetry_key("*")),)
MONITORING_TELEMETRY = Queue("monitoring.telemetry", _READINGS, waits_for_dead=True)
"""Readings that came over HTTP or from trusted producers."""
DEVICES_TELEMETRY = Queue("devices.telemetry", _READINGS, waits_for_dead=True, has_excess=True)
"""Readings that came over MQTT, in the devices' virtual host."""
# API processes hear token.revoked by queues of their own; it is bound here so that it is always routable.
MONITORING_EVENTS = Queue(
    "monitoring.events",
    _events("device.#", "sim.#", "alert.#", "user.#", "organization.#", "token.revoked"),
)
DEVICE_EVENTS = Queue(
    "device.events", _events("telemetry.presence", "telemetry.excess", "sim.#", "organization.#")
)
SIM_EVENTS = Queue("sim.events", _events("device.#", "organization.#", "telemetry.volume"))

QUEUES = {
    SERVICES_VHOST: (MONITORING_TELEMETRY, MONITORING_EVENTS, DEVICE_EVENTS, SIM_EVENTS),
    DEVICES_VHOST: (DEVICES_TELEMETRY,),
}
"""The queues of each virtual host."""


@dataclass(frozen=True)
class Exchange:
    """A durable topic exchange."""

    name: str
    type: str = "topic"


EXCHANGES = {
    SERVICES_VHOST: (Exchange(EVENTS_EXCHANGE), Exchange(DEAD_EXCHANGE)),
    DEVICES_VHOST: (Exchange(DEAD_EXCHANGE),),
}
"""The exchanges of each virtual host, beside those that the broker makes."""


@dataclass(frozen=True)
class DeclaredQueue:
    """A queue exactly as the broker has to declare it."""

    name: str
    arguments: dict[str, str | int] = field(default_factory=dict)


def declared_queues(vhost: str = SERVICES_VHOST) -> list[DeclaredQueue]:
    """Every durable queue of a virtual host with its arguments, the same for definitions and declaration."""
    return [declared for queue in QUEUES[vhost] for declared in declare(queue)]


def declare(queue: Queue) -> list[DeclaredQueue]:
    """The queue itself, that for excess if it has one, its waiting queues and its dead-letter queue."""
    arguments: dict[str, str | int] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": queue.name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    consumed = [queue.name, queue.excess] if queue.has_excess else [queue.name]
    dead = DeclaredQueue(queue.dead, {"x-queue-type": "quorum"})
    return [*(DeclaredQueue(name, arguments) for name in consumed), *_waiting(queue), dead]


@dataclass(frozen=True)
class Policy:
    """Limits that the broker applies to queues by their names, also to those that exist already."""

    name: str
    pattern: str
    definition: dict[str, str | int]


# Not arguments of the queues: one that an earlier version declared without them could not be declared again.
POLICIES = (
    Policy(
        "dead-letters",
        r"\.dead$",
        {
            "max-length": MAX_DEAD_LETTERS,
            "max-length-bytes": MAX_DEAD_LETTER_BYTES,
            "overflow": "reject-publish",
            "delivery-limit": NO_DELIVERY_LIMIT,
        },
    ),
    Policy(
        "telemetry",
        r"^(devices|monitoring)\.telemetry(\.excess)?$",
        {"max-length-bytes": MAX_TELEMETRY_QUEUE_BYTES, "overflow": "reject-publish"},
    ),
)


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


def declared_bindings(vhost: str = SERVICES_VHOST) -> list[tuple[str, str, str]]:
    """(exchange, queue, routing key) of every binding of a virtual host, dead letters included."""
    return [binding for queue in QUEUES[vhost] for binding in bindings_of(queue)]


def bindings_of(queue: Queue) -> list[tuple[str, str, str]]:
    """(exchange, queue, routing key) of one queue and of its dead letters."""
    own = [(binding.exchange, queue.name, binding.routing_key) for binding in queue.bindings]
    return [*own, (DEAD_EXCHANGE, queue.dead, queue.name)]

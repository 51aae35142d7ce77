"""One delivered message, and moving it to a waiting queue or to the dead letters."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from aio_pika.abc import AbstractIncomingMessage

from fleet_contracts.topology import (
    ATTEMPTS_HEADER,
    DEAD_EXCHANGE,
    ORIGIN_HEADER,
    REASON_HEADER,
    RECEIVED_HEADER,
    RETRY_DELAYS_SECONDS,
    Queue,
)
from fleet_kit.consumer_metrics import MESSAGES
from fleet_kit.messaging import Publisher

log = structlog.get_logger(__name__)
MAX_ATTEMPTS = len(RETRY_DELAYS_SECONDS) + 1
KEY_HEADER = "x-fleet-routing-key"
"""Routing key under which the message first came; a waiting queue changes the broker's own."""


_TRUSTED_EXCHANGES = frozenset({"", DEAD_EXCHANGE})
"""Exchanges that only services publish to: a message from elsewhere is not believed about its own history."""


class RetryLater(Exception):
    """Not now: try again after a growing delay, dead-letter after `attempts`."""

    def __init__(self, reason: str, *, attempts: int = MAX_ATTEMPTS) -> None:
        super().__init__(reason)
        self.reason, self.attempts = reason, attempts


class RejectNow(Exception):
    """Never: dead-letter with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as handlers see it. `received_at` is when a consumer first saw it, also after retries."""

    body: bytes
    routing_key: str
    message_id: str | None
    headers: Mapping[str, Any]
    attempts: int
    received_at: datetime

    @classmethod
    def of(cls, message: AbstractIncomingMessage) -> "Delivery":
        """The delivery in a message of the broker."""
        headers, own = message.headers, {}
        if message.exchange in _TRUSTED_EXCHANGES:
            own = headers
        return cls(
            body=message.body,
            routing_key=_first_key(own) or message.routing_key or "",
            message_id=message.message_id,
            headers=headers,
            attempts=_whole(own.get(ATTEMPTS_HEADER)),
            received_at=_moment(own.get(RECEIVED_HEADER)),
        )


def _first_key(headers: Mapping[str, Any]) -> str:
    """The routing key of the first delivery: our own note, or the broker's where it moved the message."""
    if KEY_HEADER in headers:
        return str(headers[KEY_HEADER])
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and deaths[-1].get("routing-keys"):
        return str(deaths[-1]["routing-keys"][0])
    return ""


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 1000 else 0


def _moment(value: Any) -> datetime:
    now = time.time()
    seconds = value / 1000 if isinstance(value, int) and 0 < value < now * 1000 else now
    return datetime.fromtimestamp(seconds, UTC)


class FailureRouter:
    """Moves deliveries of one queue; raises PublishFailed, and then the original stays unacknowledged."""

    def __init__(self, queue: Queue, publisher: Publisher) -> None:
        self._queue, self._publisher = queue, publisher

    async def move(self, delivery: Delivery, error: RetryLater | RejectNow) -> None:
        """To the next waiting queue, or to the dead letters when rejected or out of attempts."""
        attempts = delivery.attempts + 1
        retry = isinstance(error, RetryLater) and attempts < error.attempts
        headers = self._headers(delivery, attempts, error.reason)
        exchange = "" if retry else DEAD_EXCHANGE
        key = self._queue.retry(attempts - 1) if retry else self._queue.name
        await self._publisher.publish(
            exchange, key, delivery.body, message_id=delivery.message_id or "", headers=headers
        )
        outcome = "retried" if retry else "dead"
        MESSAGES.labels(self._queue.name, outcome).inc()
        log.warning(outcome, queue=self._queue.name, attempts=attempts, reason=error.reason)

    def _headers(self, delivery: Delivery, attempts: int, reason: str) -> dict[str, str | int]:
        kept = {name: value for name, value in delivery.headers.items() if isinstance(value, str | int)}
        return kept | {
            ATTEMPTS_HEADER: attempts,
            REASON_HEADER: reason[:500],
            ORIGIN_HEADER: self._queue.name,
            KEY_HEADER: delivery.routing_key,
            RECEIVED_HEADER: int(delivery.received_at.timestamp() * 1000),
        }

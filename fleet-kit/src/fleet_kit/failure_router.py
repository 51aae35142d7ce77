"""One delivered message, and moving it to a waiting queue or to the dead letters."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import structlog
from aio_pika.abc import AbstractIncomingMessage

from fleet_contracts.topology import (
    ATTEMPTS_HEADER,
    DEAD_EXCHANGE,
    MAX_PROPERTIES_BYTES,
    ORIGIN_HEADER,
    PROPERTIES_HEADER,
    REASON_HEADER,
    RECEIVED_HEADER,
    RETRY_DELAYS_SECONDS,
    Queue,
)
from fleet_kit.consumer_metrics import DROPPED, MESSAGES
from fleet_kit.messaging import Publisher, PublishRefused
from fleet_kit.request_id import HEADER, sane_request_id
from fleet_kit.undecodable import Undecodable

log = structlog.get_logger(__name__)
MAX_ATTEMPTS = len(RETRY_DELAYS_SECONDS) + 1
KEY_HEADER = "x-fleet-routing-key"
"""Routing key under which the message first came; a waiting queue changes the broker's own."""
REFUSALS = 3
"""Refusals of dead letters, one after the other, from which on their queue counts as full."""
Outcome = Literal["retried", "dead", "dropped", "aside"]
_OWN_PREFIX = "x-fleet-"
_REDELIVERIES_HEADER = "x-delivery-count"

_TRUSTED_EXCHANGES = ("", DEAD_EXCHANGE)
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


class SetAside(Exception):
    """Into the queue for excess, to make room for others. It has not failed: it is counted and not logged."""

    reason = "EXCESS"


Verdict = RetryLater | RejectNow | SetAside


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as handlers see it. `received_at` is when a consumer first saw it, also after retries.

    Headers in the fleet's own name are there only where a consumer wrote them, but for the reason where the
    broker moved the message (`DELIVERY_LIMIT`, `EXPIRED`). `undecodable` is there where the properties cannot
    be decoded; then there are neither headers nor a message id.
    """

    body: bytes
    routing_key: str
    message_id: str | None
    headers: Mapping[str, Any]
    attempts: int
    received_at: datetime
    undecodable: Undecodable | None = None
    redeliveries: int = 0

    @classmethod
    def of(cls, message: AbstractIncomingMessage) -> "Delivery":
        """The delivery in a message of the broker."""
        headers, key = message.headers, message.routing_key or ""
        trusted = message.exchange in _TRUSTED_EXCHANGES
        death = _newest_death(headers) if trusted else None
        if trusted and (death is None or death.get("exchange") in _TRUSTED_EXCHANGES):
            key = str(headers.get(KEY_HEADER) or key)
        else:
            headers = {name: headers[name] for name in headers if not name.startswith(_OWN_PREFIX)}
            key = _key_before(death) or key
            if death is not None:
                headers[REASON_HEADER] = str(death.get("reason", "")).upper()[:50]
        return cls(
            body=message.body,
            routing_key=key,
            message_id=message.message_id,
            headers=headers,
            attempts=_whole(headers.get(ATTEMPTS_HEADER)),
            received_at=_moment(headers.get(RECEIVED_HEADER)),
            undecodable=message.headers if isinstance(message.headers, Undecodable) else None,
            redeliveries=_whole(headers.get(_REDELIVERIES_HEADER)) if message.redelivered else 0,
        )

    @property
    def raw_properties(self) -> str | None:
        """Where the properties cannot be decoded: their first bytes in base64, kept through dead letters."""
        if self.undecodable is not None:
            return base64.b64encode(self.undecodable.properties[:MAX_PROPERTIES_BYTES]).decode()
        kept = self.headers.get(PROPERTIES_HEADER)
        return kept if isinstance(kept, str) else None


def _newest_death(headers: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The broker's note about moving the message last: from which queue, and how it had come there."""
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else None


def _key_before(death: Mapping[str, Any] | None) -> str:
    keys = death.get("routing-keys") if death else None
    return keys[0] if isinstance(keys, list) and keys and isinstance(keys[0], str) else ""


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
        self._refusals = 0
        DROPPED.labels(queue.name)

    async def move(self, delivery: Delivery, error: Verdict) -> Outcome:
        """To the next waiting queue, to the dead letters when rejected or out of attempts, or set aside.

        Dead letters that are refused again and again are dropped, unless the queue waits for them.
        """
        if isinstance(error, SetAside):
            return await self._set_aside(delivery, error)
        attempts = delivery.attempts + 1
        retry = isinstance(error, RetryLater) and attempts < error.attempts
        headers = self._headers(delivery, attempts, error.reason)
        outcome: Outcome = "retried" if retry else "dead"
        try:
            await self._publisher.publish(
                "" if retry else DEAD_EXCHANGE,
                self._queue.retry(attempts - 1) if retry else self._queue.name,
                delivery.body,
                message_id=delivery.message_id or "",
                headers=headers,
            )
            self._refusals = self._refusals if retry else 0
        except PublishRefused:
            if retry or not self._is_full():
                raise
            outcome = "dropped"
            DROPPED.labels(self._queue.name).inc()
        MESSAGES.labels(self._queue.name, outcome).inc()
        log.warning(outcome, queue=self._queue.name, attempts=attempts, reason=error.reason)
        return outcome

    async def _set_aside(self, delivery: Delivery, error: SetAside) -> Outcome:
        await self._publisher.publish(
            "",
            self._queue.excess,
            delivery.body,
            message_id=delivery.message_id or "",
            headers=self._headers(delivery, delivery.attempts, error.reason),
        )
        MESSAGES.labels(self._queue.name, "aside").inc()
        return "aside"

    def _is_full(self) -> bool:
        """One refusal may have a passing cause; several mean that the dead letters' queue is full."""
        self._refusals += 1
        return self._refusals > REFUSALS and not self._queue.waits_for_dead

    def _headers(self, delivery: Delivery, attempts: int, reason: str) -> dict[str, str | int]:
        """Only what the fleet itself reads: the broker acts upon some headers, and refuses some."""
        headers: dict[str, str | int] = {
            ATTEMPTS_HEADER: attempts,
            REASON_HEADER: reason[:500],
            ORIGIN_HEADER: self._queue.name,
            KEY_HEADER: delivery.routing_key,
            RECEIVED_HEADER: int(delivery.received_at.timestamp() * 1000),
        }
        if request_id := sane_request_id(delivery.headers.get(HEADER.lower())):
            headers[HEADER.lower()] = request_id
        if (properties := delivery.raw_properties) is not None:
            headers[PROPERTIES_HEADER] = properties
        return headers

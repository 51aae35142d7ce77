"""Marks that pass through a queue of readings."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

from fleet_contracts.topology import WATERMARK_HEADER, Queue
from fleet_kit.failure_router import Delivery
from fleet_kit.messaging import Publisher


class QueueMark:
    """The marks of one queue as one worker sends and meets them."""

    def __init__(
        self,
        queue: Queue,
        publisher: Publisher,
        join: Callable[[], Awaitable[None]],
        rejoin: Callable[[], None],
    ) -> None:
        """`join` is awaited before anything is handled; `rejoin` is called when a connection was lost."""
        self._queue, self._publisher, self._join, self._rejoin = queue, publisher, join, rejoin
        self._is_first = True
        self.reached: datetime | None = None
        """What this worker was given of the queue, and had reached the broker before then, is handled."""

    def session_begins(self) -> None:
        """The consumer of the queue has a connection, its first one or another."""
        if not self._is_first:
            self._rejoin()
        self._is_first = False

    async def send(self) -> None:
        """Send one behind what waits; raises PublishFailed, as where the queue takes no readings either."""
        sent = {WATERMARK_HEADER: int(time.time() * 1000)}
        await self._publisher.publish("", self._queue.name, b"", message_id=uuid4().hex, headers=sent)

    @asynccontextmanager
    async def passing(self, deliveries: Sequence[Delivery]) -> AsyncIterator[list[Delivery]]:
        """The readings among the deliveries; the marks have passed when the block has not failed."""
        await self._join()
        marks = [_mark_of(delivery) for delivery in deliveries]
        yield [delivery for delivery, mark in zip(deliveries, marks, strict=True) if mark is None]
        now = time.time() * 1000
        for mark in marks:
            if mark is not None and mark <= now:  # of a clock that is ahead it would promise too much
                sent = datetime.fromtimestamp(mark / 1000, UTC)
                self.reached = max(sent, self.reached or sent)


def _mark_of(delivery: Delivery) -> int | None:
    """When a mark was sent; None where it is a reading.

    Marks are never moved: RabbitMQ 3.10 mixes what a sender wrote into `x-death` with its own notes there.
    """
    value = delivery.headers.get(WATERMARK_HEADER)
    is_mark = isinstance(value, int) and value > 0 and not delivery.body and "x-death" not in delivery.headers
    return value if is_mark else None

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

    def __init__(self, queue: Queue, publisher: Publisher, join: Callable[[], Awaitable[None]]) -> None:
        """`join` is awaited before anything is handled."""
        self._queue, self._publisher, self._join = queue, publisher, join
        self.reached: datetime | None = None
        """What this worker was given of the queue, and had reached the broker before then, is handled."""

    async def send(self) -> None:
        """Send one behind what waits; raises PublishFailed, as where the queue takes no readings either."""
        sent = {WATERMARK_HEADER: int(time.time() * 1000)}
        await self._publisher.publish("", self._queue.name, b"", message_id=uuid4().hex, headers=sent)

    @asynccontextmanager
    async def passing(self, deliveries: Sequence[Delivery]) -> AsyncIterator[list[Delivery]]:
        """The readings among the deliveries; the marks have passed when the block has not failed."""
        await self._join()
        marks = [delivery.headers.get(WATERMARK_HEADER) for delivery in deliveries]
        yield [delivery for delivery, mark in zip(deliveries, marks, strict=True) if mark is None]
        for mark in marks:
            if isinstance(mark, int):
                sent = datetime.fromtimestamp(mark / 1000, UTC)
                self.reached = max(sent, self.reached or sent)

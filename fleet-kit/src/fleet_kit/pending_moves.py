"""Messages that could not be moved to where they belong: a broker without memory or disk takes none.

It still delivers, so everything else goes on, or a backlog that has filled the broker could never be worked
off. What could not be moved stays unacknowledged and is tried again.
"""

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from aio_pika.abc import AbstractIncomingMessage

from fleet_kit.batching import Backlog
from fleet_kit.consumer_health import ConsumerHealth
from fleet_kit.failure_router import FailureRouter, SetAside
from fleet_kit.messaging import BROKER_ERRORS, PublishFailed

if TYPE_CHECKING:
    from fleet_kit.consumer import Failure

log = structlog.get_logger(__name__)
BLOCKED_SECONDS = 10.0
"""For so long after a move has failed no other message is made to wait for one."""


class PendingMoves:
    """Those of one session of a consumer: at most its prefetch, for the broker delivers no more."""

    def __init__(
        self, router: FailureRouter, health: ConsumerHealth, backlog: Backlog, backoff: tuple[float, float]
    ) -> None:
        self._router, self._health, self._backlog, self._backoff = router, health, backlog, backoff
        self._tasks = set[asyncio.Task[None]]()

    def __bool__(self) -> bool:
        """Whether messages are left, which an acknowledgement must not cover."""
        return bool(self._tasks)

    async def move(self, failure: "Failure", message: AbstractIncomingMessage) -> bool:
        """Move it, and say whether that was done; else it is, and is acknowledged, as soon as it can be.

        What was only to be set aside goes back to the queue instead, to be handled.
        """
        if not self._backlog.is_blocked and await self._try(failure):
            return True
        if isinstance(failure.error, SetAside):
            await message.nack(requeue=True)
        else:
            task = asyncio.create_task(self._move_later(failure, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return False

    async def end(self) -> None:
        """Leave the rest to the queue, which has them again once the session is closed."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _move_later(self, failure: "Failure", message: AbstractIncomingMessage) -> None:
        delay = self._backoff[0]
        while True:
            await asyncio.sleep(delay)
            if await self._try(failure):
                break
            delay = min(delay * 2, self._backoff[1])
        try:
            await message.ack()
        except BROKER_ERRORS as error:  # it comes again, and is moved twice: nothing is lost
            log.info("moved, but not acknowledged", error=repr(error))

    async def _try(self, failure: "Failure") -> bool:
        try:
            self._health.moved(await self._router.move(failure.delivery, failure.error))
        except PublishFailed as error:
            self._backlog.blocked_until = time.monotonic() + BLOCKED_SECONDS
            self._health.held = "what failed cannot be passed on: refused, or no answer"
            log.warning("held", queue=self._health.queue, reason=str(error))
            return False
        self._backlog.blocked_until = 0.0
        self._health.held = None
        return True

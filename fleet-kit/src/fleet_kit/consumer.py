"""Consuming in batches: acknowledged only when handled, retried later, dead-lettered with a reason.

What becomes of a message is said by the handler: nothing raised means done, `RetryLater` sends it round the
waiting queues, `RejectNow` to the dead letters, `DependencyUnavailable` holds the batch because a server does
not answer. Moving a message is a confirmed publish followed by the acknowledgement, so nothing is lost.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import AMQPError as AiormqError

from fleet_contracts.topology import Queue
from fleet_kit.consumer_metrics import BATCH_SECONDS, MESSAGES, PAUSES
from fleet_kit.failure_router import Delivery, FailureRouter, RejectNow, RetryLater
from fleet_kit.messaging import Publisher, PublishFailed, connect

log = structlog.get_logger(__name__)
BROKER_ERRORS = (AMQPError, AiormqError, OSError, TimeoutError, RuntimeError)


class DependencyUnavailable(Exception):
    """A dependency of the handler is unavailable: hold the batch, back off, try it again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One delivery of a batch that was not handled, and what is to become of it."""

    delivery: Delivery
    error: RetryLater | RejectNow


Handler = Callable[[list[Delivery]], Awaitable[Sequence[Failure] | None]]


@dataclass
class BatchConsumer:
    """Feeds a handler with batches of one queue, over a connection of its own that comes back by itself.

    `max_wait` is the longest time in seconds that the first message of a batch waits for company. Batches
    are handled one after the other, so the last acknowledgement covers a whole batch.
    """

    url: str
    queue: Queue
    handler: Handler
    publisher: Publisher
    name: str
    max_batch: int = 500
    max_wait: float = 0.05
    prefetch: int = 1000
    backoff: tuple[float, float] = (0.2, 10.0)
    _inbox: "asyncio.Queue[AbstractIncomingMessage | None]" = field(default_factory=asyncio.Queue, init=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _progress: float = field(default_factory=time.monotonic, init=False)
    _connected: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Consume until `stop`; a broker that is unavailable is waited for."""
        delay = self.backoff[0]
        while not self._stop.is_set():
            try:
                await self._session()
                delay = self.backoff[0]
            except (*BROKER_ERRORS, PublishFailed) as error:
                log.warning("consumer lost the broker", queue=self.queue.name, error=repr(error))
            finally:
                self._connected = False
            await self._sleep(delay)
            delay = min(delay * 2, self.backoff[1])

    async def stop(self) -> None:
        """Finish the batch in hand, then end `run`; what is not handled goes back to the queue."""
        self._stop.set()
        self._inbox.put_nowait(None)

    async def check(self) -> None:
        """Raise if not connected or stalled (a batch in hand for more than 120 s without a pause)."""
        if not self._connected:
            raise ConnectionError(f"consumer of {self.queue.name} is not connected")
        if not self._paused and not self._inbox.empty() and time.monotonic() - self._progress > 120:
            raise TimeoutError(f"consumer of {self.queue.name} makes no progress")

    async def _session(self) -> None:
        connection = await connect(self.url, f"{self.name}:{self.queue.name}")
        try:
            inbox: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
            self._inbox = inbox
            connection.close_callbacks.add(lambda *_: inbox.put_nowait(None))
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: inbox.put_nowait(None))
            # Also when the queue is deleted, or moves to another node: the channel stays open then.
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda *_: inbox.put_nowait(None))
            await channel.set_qos(prefetch_count=self.prefetch)
            queue = await channel.get_queue(self.queue.name, ensure=False)
            tag = await queue.consume(inbox.put, timeout=10)
            self._connected = True
            log.info("consuming", queue=self.queue.name)
            await self._drain(inbox)
            await self._leave(queue, tag)
        finally:
            with suppress(*BROKER_ERRORS):
                async with asyncio.timeout(2):
                    await connection.close()

    async def _drain(self, inbox: "asyncio.Queue[AbstractIncomingMessage | None]") -> None:
        while not self._stop.is_set():
            batch, ended = await self._collect(inbox)
            if batch:
                await self._handle(batch)
            if ended:
                return

    async def _collect(
        self, inbox: "asyncio.Queue[AbstractIncomingMessage | None]"
    ) -> tuple[list[AbstractIncomingMessage], bool]:
        first = await inbox.get()
        if first is None:
            return [], True
        batch = [first]
        deadline = time.monotonic() + self.max_wait
        while len(batch) < self.max_batch:
            if inbox.empty():
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                try:
                    async with asyncio.timeout(left):
                        message = await inbox.get()
                except TimeoutError:
                    break
            else:
                message = inbox.get_nowait()
            if message is None:
                return batch, True
            batch.append(message)
        return batch, False

    async def _handle(self, messages: list[AbstractIncomingMessage]) -> None:
        self._progress = time.monotonic()
        deliveries = [Delivery.of(message) for message in messages]
        with BATCH_SECONDS.labels(self.queue.name).time():
            failures = await self._until_done(deliveries)
        if failures is None:
            return
        mover = FailureRouter(self.queue, self.publisher)
        for failure in failures:
            await mover.move(failure.delivery, failure.error)
        await messages[-1].ack(multiple=True)
        MESSAGES.labels(self.queue.name, "handled").inc(len(messages) - len(failures))
        self._progress = time.monotonic()

    async def _until_done(self, deliveries: list[Delivery]) -> Sequence[Failure] | None:
        delay = self.backoff[0]
        while True:
            try:
                return await self.handler(deliveries) or ()
            except DependencyUnavailable as pause:
                self._paused = True
                PAUSES.labels(self.queue.name).inc()
                log.warning("paused", queue=self.queue.name, reason=str(pause))
            except Exception as error:
                log.error("handler failed", queue=self.queue.name, size=len(deliveries), exc_info=error)
                return await self._one_by_one(deliveries, error)
            finally:
                self._progress = time.monotonic()
            await self._sleep(delay)
            if self._stop.is_set():
                return None
            self._paused = False
            delay = min(delay * 2, self.backoff[1])

    async def _one_by_one(self, deliveries: list[Delivery], error: Exception) -> Sequence[Failure] | None:
        """Find the poison: neighbours of a message that breaks the handler must not notice."""
        if len(deliveries) == 1:
            return [Failure(deliveries[0], RetryLater(f"{type(error).__name__}: {error}"[:300]))]
        failures: list[Failure] = []
        for delivery in deliveries:
            outcome = await self._until_done([delivery])
            if outcome is None:
                return None
            failures.extend(outcome)
        return failures

    async def _leave(self, queue: AbstractQueue, tag: str) -> None:
        with suppress(*BROKER_ERRORS):
            await queue.cancel(tag, timeout=2)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

"""Consuming in batches: acknowledged only when handled, retried later, dead-lettered with a reason.

What becomes of a message is said by the handler: nothing raised means done, `RetryLater` sends it round the
waiting queues, `RejectNow` to the dead letters, `DependencyUnavailable` holds the batch because a server does
not answer. Moving a message is a confirmed publish followed by the acknowledgement, so nothing is lost. What
cannot be decoded goes to the dead letters without the handler's seeing it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field

import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage, AbstractQueue

from fleet_contracts.topology import DELIVERY_LIMIT, Queue
from fleet_kit.batching import Backlog, Inbox, collect
from fleet_kit.consumer_health import ConsumerHealth
from fleet_kit.consumer_metrics import BATCH_SECONDS, MESSAGES, PAUSES
from fleet_kit.dead_letter_watch import watch_dead_letters
from fleet_kit.failure_router import Delivery, FailureRouter, RejectNow, RetryLater, Verdict
from fleet_kit.messaging import BROKER_ERRORS, Publisher, connect
from fleet_kit.pending_moves import PendingMoves

log = structlog.get_logger(__name__)

MAX_REDELIVERIES = DELIVERY_LIMIT - 10
"""Before the broker's own limit, where a forged `x-death` header ends all dead-lettering of RabbitMQ 3.10."""
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""A batch takes no further message once it holds as much: it is at most one message larger."""
DELIVERED_TOO_OFTEN = "DELIVERY_LIMIT"


class DependencyUnavailable(Exception):
    """A dependency of the handler is unavailable: hold the batch, back off, try it again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One delivery of a batch that was not handled, and what is to become of it."""

    delivery: Delivery
    error: Verdict


Handler = Callable[[list[Delivery]], Awaitable[Sequence[Failure] | None]]


@dataclass
class BatchConsumer:
    """Feeds a handler with batches of one queue, over a connection of its own that comes back by itself.

    `max_wait` is the longest time in seconds that the first message of a batch waits for company. Batches
    are handled one after the other, so the last acknowledgement covers a whole batch, unless some messages
    could not be moved. `takes_undecodable`:
    the handler also gets what cannot be decoded; for dead letters, which no other queue comes after.
    """

    url: str
    queue: Queue
    handler: Handler
    publisher: Publisher
    name: str
    max_batch: int = 500
    max_wait: float = 0.05
    prefetch: int = 1000
    max_batch_bytes: int = MAX_BATCH_BYTES
    backoff: tuple[float, float] = (0.2, 10.0)
    takes_undecodable: bool = False
    backlog: Backlog = field(default_factory=Backlog)
    failures_of: Queue | None = None
    """The queue whose waiting queues and dead letters take the failures, where it has none of its own."""
    on_session: Callable[[], None] = lambda: None
    """Called whenever a connection begins: what an earlier one held has gone back to the queue."""
    _inbox: Inbox = field(default_factory=asyncio.Queue, init=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _health: ConsumerHealth = field(init=False)
    _pending: PendingMoves = field(init=False)

    def __post_init__(self) -> None:
        """Make what tells of its health and what moves its failures."""
        self._health = ConsumerHealth(self.queue.name)
        router = FailureRouter(self.failures_of or self.queue, self.publisher)
        self._pending = PendingMoves(router, self._health, self.backlog, self.backoff)

    async def run(self) -> None:
        """Consume until `stop`; a broker that is unavailable is waited for."""
        delay = self.backoff[0]
        while not self._stop.is_set():
            try:
                await self._session()
                delay = self.backoff[0]
            except BROKER_ERRORS as error:
                log.warning("consumer lost the broker", queue=self.queue.name, error=repr(error))
            self._health.ended(wanted=self._stop.is_set())
            await self._sleep(delay)
            delay = min(delay * 2, self.backoff[1])

    async def stop(self) -> None:
        """Finish the batch in hand, then end `run`; what is not handled goes back to the queue."""
        self._stop.set()
        self._inbox.put_nowait(None)

    async def check(self) -> None:
        """Raise if messages do not come in and are worked off; Degraded for dead letters without room."""
        await self.check_receiving()
        self._health.check_dead_letters()

    async def check_receiving(self) -> None:
        """Raise unless messages come in and are worked off."""
        self._health.check_receiving(in_hand=not self._inbox.empty())

    async def _session(self) -> None:
        connection = await connect(self.url, f"{self.name}:{self.queue.name}")
        try:
            inbox: Inbox = asyncio.Queue()
            self._inbox = inbox
            connection.close_callbacks.add(lambda *_: inbox.put_nowait(None))
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: inbox.put_nowait(None))
            # Also when the queue is deleted, or moves to another node: the channel stays open then.
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda *_: inbox.put_nowait(None))
            await channel.set_qos(prefetch_count=self.prefetch)
            queue = await channel.get_queue(self.queue.name, ensure=False)
            self.on_session()
            tag = await queue.consume(inbox.put, timeout=10)
            self._health.connected = True
            log.info("consuming", queue=self.queue.name)
            try:
                async with self._watch(connection):
                    await self._drain(inbox)
            finally:
                await self._pending.end()
            await self._leave(queue, tag)
        finally:
            with suppress(*BROKER_ERRORS):
                async with asyncio.timeout(2):
                    await connection.close()

    def _watch(self, connection: AbstractConnection) -> AbstractAsyncContextManager[None]:
        if self.takes_undecodable or self.failures_of:  # none of its own; the broker logs that as an error
            return nullcontext()
        return watch_dead_letters(connection, self.queue, self._health)

    async def _drain(self, inbox: Inbox) -> None:
        while not self._stop.is_set():
            there = inbox.qsize()
            if not there:  # however full the last batch was, it was the last one
                self.backlog.is_waiting = False
            batch, ended = await collect(inbox, self.max_batch, self.max_wait, self.max_batch_bytes)
            self.backlog.is_waiting = there >= len(batch) and self._is_full(batch)
            if batch:
                await self._handle(batch)
            if ended:
                return

    def _is_full(self, batch: list[AbstractIncomingMessage]) -> bool:
        size_bytes = sum(len(message.body) for message in batch)
        return len(batch) >= self.max_batch or size_bytes >= self.max_batch_bytes

    async def _handle(self, messages: list[AbstractIncomingMessage]) -> None:
        self._health.progressed()
        deliveries = [Delivery.of(message) for message in messages]
        if any(delivery.attempts for delivery in deliveries):
            self._health.returned()
        readable, failures = self._sort(deliveries)
        with BATCH_SECONDS.labels(self.queue.name).time():
            unhandled = await self._until_done(readable) if readable else ()
        if unhandled is None:
            return
        failures.extend(unhandled)
        await self._acknowledge(messages, deliveries, failures)
        MESSAGES.labels(self.queue.name, "handled").inc(len(messages) - len(failures))
        self._health.progressed()

    async def _acknowledge(
        self, messages: list[AbstractIncomingMessage], deliveries: list[Delivery], failures: list[Failure]
    ) -> None:
        """What was handled or could be moved; see PendingMoves for the rest."""
        message_of = {id(delivery): message for delivery, message in zip(deliveries, messages, strict=True)}
        moving = [(failure, message_of.pop(id(failure.delivery))) for failure in failures]
        # All at once: of a flood there can be as many as there are messages, and each waits for the broker.
        moved = await asyncio.gather(*(self._pending.move(*each) for each in moving))
        if all(moved) and not self._pending:
            await messages[-1].ack(multiple=True)
            return
        done = [message for (_, message), is_done in zip(moving, moved, strict=True) if is_done]
        for message in (*message_of.values(), *done):
            await message.ack()

    def _sort(self, deliveries: list[Delivery]) -> tuple[list[Delivery], list[Failure]]:
        """What the handler gets, and what it cannot be given."""
        readable, failures = [], []
        for delivery in deliveries:
            if self.takes_undecodable:
                readable.append(delivery)
            elif delivery.undecodable is not None:
                failures.append(Failure(delivery, RejectNow(delivery.undecodable.reason)))
            elif delivery.redeliveries >= MAX_REDELIVERIES:
                failures.append(Failure(delivery, RejectNow(DELIVERED_TOO_OFTEN)))
            else:
                readable.append(delivery)
        return readable, failures

    async def _until_done(self, deliveries: list[Delivery]) -> Sequence[Failure] | None:
        delay = self.backoff[0]
        while True:
            try:
                return await self.handler(deliveries) or ()
            except DependencyUnavailable as pause:
                self._health.paused = True
                PAUSES.labels(self.queue.name).inc()
                log.warning("paused", queue=self.queue.name, reason=str(pause))
            except Exception as error:
                log.error("handler failed", queue=self.queue.name, size=len(deliveries), exc_info=error)
                return await self._one_by_one(deliveries, error)
            finally:
                self._health.progressed()
            await self._sleep(delay)
            if self._stop.is_set():
                return None
            self._health.paused = False
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

"""Telemetry messages in: sort each message's readings, store them, acknowledge after the store has."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID

from fleet_contracts.telemetry import MAX_EXCERPT, Parsed, Rejected, message_cost, parse_message
from fleet_contracts.topology import device_of_key
from fleet_kit.consumer import Failure
from fleet_kit.failure_router import Delivery, RetryLater, SetAside
from monitoring_service.directory.owner_cache import DeviceOwnerCache
from monitoring_service.readings.models import reading_document
from monitoring_service.readings.writer import MAX_VALUES, Listener, ReadingWriter, values_of
from monitoring_service.rejected.models import RejectedMessage
from monitoring_service.rejected.service import RejectedMessageService
from monitoring_service.store.client import Document
from monitoring_service.store.inserts import Refusal
from monitoring_service.traffic.service import Message, MustWait, TrafficLimit
from monitoring_service.watermark.marks import QueueMark

UNKNOWN_DEVICE = "UNKNOWN_DEVICE"
MAX_LISTED = 20
"""Refused items of one message, or readings of a device in one insert, that are listed each by itself."""
T = TypeVar("T")
Refused = list[tuple[Document, Refusal]]
_YIELD_BYTES = 20_000
"""Bytes of messages decoded between two turns of the event loop: a few milliseconds."""
_IN_FLIGHT = 2
"""Writes of one batch at a time: the store need not wait for the next one."""


@dataclass(slots=True)
class _Batch:
    """What a batch comes to while it is worked through.

    `owners`: organisation by device; `deleted`: unknown devices that waiting would not make known.
    """

    owners: dict[str, str]
    deleted: set[str]
    failures: list[Failure] = field(default_factory=list)
    rejected: list[RejectedMessage] = field(default_factory=list)
    set_aside: list[Document] = field(default_factory=list)
    documents: deque[Document] = field(default_factory=deque)
    values: int = 0
    """Of the documents, see `values_of`."""

    def add(self, document: Document) -> None:
        self.documents.append(document)
        self.values += values_of(document)

    def put_aside(self, delivery: Delivery, device: str) -> None:
        self.failures.append(Failure(delivery, SetAside()))
        owner = self.owners.get(device)
        if owner is not None:  # it may be deleted meanwhile
            heard = {"organization_id": owner, "device_id": device}
            self.set_aside.append(heard | {"received_at": delivery.received_at})

    def next_insert(self) -> list[Document]:
        """Take out the first documents, as many as one insert may hold."""
        documents, values = [], 0
        while self.documents and values + (one := values_of(self.documents[0])) <= MAX_VALUES:
            documents.append(self.documents.popleft())
            values += one
        self.values -= values
        return documents


class TelemetryHandler:
    """Handles batches of the telemetry queue; see fleet_kit.consumer for what its answer means.

    The next documents are decoded, and on their way, while the store is writing the ones before.
    """

    def __init__(
        self,
        owners: DeviceOwnerCache,
        writer: ReadingWriter,
        rejected: RejectedMessageService,
        *,
        unknown_attempts: int,
        max_bytes: int | None = None,
        limit: TrafficLimit | None = None,
        mark: QueueMark | None = None,
        on_set_aside: Listener = lambda _: None,
    ) -> None:
        """`mark`: of the queue. `on_set_aside` is told whose messages wait: who sends is not silent."""
        self._owners, self._writer, self._rejected = owners, writer, rejected
        self._unknown_attempts, self._max_bytes, self._limit = unknown_attempts, max_bytes, limit
        self._mark, self._on_set_aside = mark, on_set_aside

    async def __call__(self, deliveries: list[Delivery]) -> Sequence[Failure]:
        """Store what is valid, list what is not; raises DependencyUnavailable while there is no store."""
        if self._mark is None:
            return await self._handle(deliveries)
        async with self._mark.passing(deliveries) as readings:
            return await self._handle(readings)

    async def _handle(self, deliveries: list[Delivery]) -> Sequence[Failure]:
        devices = [device_id(delivery) for delivery in deliveries]
        named = {device for device in devices if device}
        owners = await self._owners.owners(named)
        unknown = named - owners.keys()
        batch = _Batch(owners, await self._owners.deleted(unknown) if unknown else set())
        messages = _weighed(deliveries, devices, owners)
        in_order = _smallest_senders_first(deliveries, messages)
        if self._limit is None:
            return await self._store(in_order, batch)
        with self._limit.beyond(messages) as must_wait:
            return await self._store(in_order, batch, must_wait)

    async def _store(
        self,
        weighed: list[tuple[Delivery, Message]],
        batch: _Batch,
        must_wait: MustWait = lambda _: False,
    ) -> Sequence[Failure]:
        writing = deque[asyncio.Task[None]]()
        try:
            decoded = 0
            for delivery, message in weighed:
                if message.device and must_wait(message.device):
                    batch.put_aside(delivery, message.device)
                    continue
                self._sort(delivery, message.device, batch)
                decoded += len(delivery.body)
                if decoded >= _YIELD_BYTES:
                    decoded = 0
                    await asyncio.sleep(0)
                while batch.values >= MAX_VALUES:
                    await self._write(batch, writing)
            while batch.documents:
                await self._write(batch, writing)
            for task in writing:
                await task
        finally:
            await _ended(writing)
        await self._rejected.add(batch.rejected)
        self._on_set_aside(batch.set_aside)
        return batch.failures

    def _sort(self, delivery: Delivery, device: str, batch: _Batch) -> None:
        if not device:
            reason = "the topic names no device"
            whole = Rejected(None, "INVALID_DEVICE_ID", "device_id", reason, excerpt(delivery))
            batch.rejected += RejectedMessage.all_of(delivery, [whole])
            return
        organization = batch.owners.get(device)
        if organization is None:
            attempts = 1 if device in batch.deleted else self._unknown_attempts
            later = RetryLater(UNKNOWN_DEVICE, attempts=attempts)
            batch.failures.append(Failure(delivery, later))
            return
        received = delivery.received_at
        parsed = self._parse(delivery, device)
        # A reading named again in its message is the same one, and refusing it would cost the store the most.
        once = {reading.id: reading for reading in reversed(parsed.readings)}
        for reading in reversed(once.values()):
            batch.add(reading_document(reading, device, organization, received))
        if parsed.rejected:
            listed = _listed(parsed.rejected)
            batch.rejected += RejectedMessage.all_of(
                delivery, listed, device_id=device, organization_id=organization
            )

    def _parse(self, delivery: Delivery, device: str) -> Parsed:
        size = len(delivery.body)
        if self._max_bytes is not None and size > self._max_bytes:
            reason = f"{size} bytes in one message, at most {self._max_bytes} are possible"
            return Parsed([], [Rejected(None, "MESSAGE_TOO_LARGE", "", reason, excerpt(delivery))])
        return parse_message(delivery.body, device, delivery.received_at)

    async def _write(self, batch: _Batch, writing: "deque[asyncio.Task[None]]") -> None:
        while len(writing) >= _IN_FLIGHT:
            await writing[0]
            writing.popleft()
        writing.append(asyncio.create_task(self._put(batch.next_insert(), batch)))

    async def _put(self, documents: list[Document], batch: _Batch) -> None:
        result = await self._writer.put(documents)
        batch.rejected.extend(RejectedMessage.refused(*each) for each in _listed_refusals(result.refused))


def _listed(rejected: list[Rejected]) -> list[Rejected]:
    """A message of 2 kB can hold a thousand."""
    return _first_of(rejected, _more_items)


def _more_items(first: Rejected, more: int) -> Rejected:
    reason = f"{more} more items of this message, the first for this reason: {first.reason}"
    return replace(first, reason=reason)


def _listed_refusals(refused: Refused) -> Refused:
    """Likewise of each device, such as one that sends all that it has kept for years."""
    of_device = defaultdict[str, Refused](list)
    for document, why in refused:
        of_device[document["device_id"]].append((document, why))
    return [each for all_of_it in of_device.values() for each in _first_of(all_of_it, _more_readings)]


def _more_readings(first: tuple[Document, Refusal], more: int) -> tuple[Document, Refusal]:
    document, why = first
    return document, replace(why, reason=f"{more} more readings, the first for this reason: {why.reason}")


def _first_of(refused: list[T], more_like: Callable[[T, int], T]) -> list[T]:
    """The first MAX_LISTED, and one for all others, made of the next one and of how many they are."""
    others = refused[MAX_LISTED:]
    if len(others) < 2:
        return refused
    return [*refused[:MAX_LISTED], more_like(others[0], len(others))]


async def _ended(tasks: "Collection[asyncio.Task[None]]") -> None:
    """Leave no write running behind a batch that failed."""
    if running := [task for task in tasks if not task.done()]:
        await asyncio.wait(running)
    for task in tasks:
        if not task.cancelled():
            task.exception()


class ExcessHandler:
    """Handles what was set aside, once it holds up nobody."""

    def __init__(self, telemetry: TelemetryHandler, limit: TrafficLimit) -> None:
        self._telemetry, self._limit = telemetry, limit

    async def __call__(self, deliveries: list[Delivery]) -> Sequence[Failure]:
        """As the other messages of devices."""
        await self._limit.others_served()
        return await self._telemetry(deliveries)


def _weighed(deliveries: list[Delivery], devices: list[str | None], owners: dict[str, str]) -> list[Message]:
    """Those of unknown devices, too: they are among what waits."""
    return [
        Message(owners.get(device or ""), device or "", message_cost(delivery.body))
        for delivery, device in zip(deliveries, devices, strict=True)
    ]


def _smallest_senders_first(
    deliveries: list[Delivery], messages: list[Message]
) -> list[tuple[Delivery, Message]]:
    """The organisation that sent the least comes first: who sends little waits for none of who sends much."""
    costs = Counter[str | None]()
    for message in messages:
        costs[message.organization] += message.cost
    pairs = zip(deliveries, messages, strict=True)
    return sorted(pairs, key=lambda pair: costs[pair[1].organization])


def device_id(delivery: Delivery) -> str | None:
    """The device that the routing key names, None where it cannot be one."""
    name = device_of_key(delivery.routing_key)
    try:
        return str(UUID(name)) if name else None
    except ValueError:
        return None


def excerpt(delivery: Delivery) -> str:
    """The beginning of the message as text that every store takes."""
    return delivery.body[:MAX_EXCERPT].decode("utf-8", "backslashreplace").replace("\x00", "\\x00")

"""Telemetry messages in: sort each message's readings, store them, acknowledge after the store has."""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from fleet_contracts.telemetry import MAX_EXCERPT, Rejected, parse_message
from fleet_contracts.topology import device_of_key
from fleet_kit.consumer import Failure
from fleet_kit.failure_router import Delivery, RetryLater
from monitoring_service.directory.owner_cache import DeviceOwnerCache
from monitoring_service.readings.models import reading_document
from monitoring_service.readings.writer import MAX_DOCUMENTS, ReadingWriter
from monitoring_service.rejected.models import RejectedMessage
from monitoring_service.rejected.service import RejectedMessageService
from monitoring_service.store.client import Document

UNKNOWN_DEVICE = "UNKNOWN_DEVICE"
_YIELD_EVERY = 50
"""Messages decoded between two turns of the event loop."""
_IN_FLIGHT = 2
"""Writes of one batch at a time: the store need not wait for the next one."""


@dataclass(slots=True)
class _Batch:
    """What a batch comes to while it is worked through."""

    failures: list[Failure] = field(default_factory=list)
    rejected: list[RejectedMessage] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)


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
    ) -> None:
        self._owners, self._writer, self._rejected = owners, writer, rejected
        self._unknown_attempts = unknown_attempts

    async def __call__(self, deliveries: list[Delivery]) -> Sequence[Failure]:
        """Store what is valid, list what is not; raises DependencyUnavailable while there is no store."""
        devices = [device_id(delivery) for delivery in deliveries]
        owners = await self._owners.owners({device for device in devices if device})
        batch, writing = _Batch(), deque[asyncio.Task[None]]()
        try:
            for number, (delivery, device) in enumerate(zip(deliveries, devices, strict=True)):
                self._sort(delivery, device, owners, batch)
                if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                    await asyncio.sleep(0)
                while len(batch.documents) >= MAX_DOCUMENTS:
                    await self._write(batch, writing)
            while batch.documents:
                await self._write(batch, writing)
            for task in writing:
                await task
        finally:
            await _ended(writing)
        await self._rejected.add(batch.rejected)
        return batch.failures

    def _sort(self, delivery: Delivery, device: str | None, owners: dict[str, str], batch: _Batch) -> None:
        if device is None:
            reason = "the topic names no device"
            whole = Rejected(None, "INVALID_DEVICE_ID", "device_id", reason, excerpt(delivery))
            batch.rejected += RejectedMessage.all_of(delivery, [whole])
            return
        organization = owners.get(device)
        if organization is None:
            later = RetryLater(UNKNOWN_DEVICE, attempts=self._unknown_attempts)
            batch.failures.append(Failure(delivery, later))
            return
        received = delivery.received_at
        parsed = parse_message(delivery.body, device, received)
        batch.documents.extend(
            reading_document(reading, device, organization, received) for reading in parsed.readings
        )
        if parsed.rejected:
            batch.rejected += RejectedMessage.all_of(
                delivery, parsed.rejected, device_id=device, organization_id=organization
            )

    async def _write(self, batch: _Batch, writing: "deque[asyncio.Task[None]]") -> None:
        while len(writing) >= _IN_FLIGHT:
            await writing[0]
            writing.popleft()
        documents, batch.documents = batch.documents[:MAX_DOCUMENTS], batch.documents[MAX_DOCUMENTS:]
        writing.append(asyncio.create_task(self._put(documents, batch)))

    async def _put(self, documents: list[Document], batch: _Batch) -> None:
        result = await self._writer.put(documents)
        batch.rejected.extend(RejectedMessage.refused(document, why) for document, why in result.refused)


async def _ended(tasks: "Collection[asyncio.Task[None]]") -> None:
    """Leave no write running behind a batch that failed."""
    if running := [task for task in tasks if not task.done()]:
        await asyncio.wait(running)
    for task in tasks:
        if not task.cancelled():
            task.exception()


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

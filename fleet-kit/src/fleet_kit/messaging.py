"""Publishing to the broker with confirms: a publish that returns has been accepted by a queue."""

import asyncio
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError, DeliveryError, PublishError
from aiormq.exceptions import AMQPError as AiormqError

from fleet_contracts.events import FleetEvent, encode_event
from fleet_contracts.topology import EVENTS_EXCHANGE
from fleet_kit.request_id import HEADER, current_request_id
from fleet_kit.undecodable import hand_on_undecodable

log = structlog.get_logger(__name__)
HEARTBEAT_SECONDS = 15
BROKER_ERRORS = (AMQPError, AiormqError, OSError, TimeoutError, RuntimeError)
"""What the driver raises while the broker is unavailable, slow, or refuses something."""


class PublishFailed(Exception):
    """Not confirmed by the broker (unroutable, refused, unavailable, slow); it may be sent again."""


class PublishRefused(PublishFailed):
    """A queue has refused it, as one that is full does."""


async def connect(url: str, name: str, *, timeout: float = 5.0) -> AbstractConnection:
    """One connection that shows as `name` on the management page; raises OSError or AMQPError."""
    hand_on_undecodable()
    return await aio_pika.connect(
        url,
        timeout=timeout,
        client_properties={"connection_name": name},
        heartbeat=HEARTBEAT_SECONDS,
    )


def in_vhost(url: str, vhost: str) -> str:
    """The broker's address with another virtual host."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(vhost, safe='')}"))


class Publisher:
    """Confirmed, mandatory publishing over a connection of its own that comes back by itself.

    Consumers must not share it: a broker under alarm blocks publishing connections.
    """

    def __init__(self, url: str, name: str, *, timeout_seconds: float = 5.0) -> None:
        self._url, self._name, self._timeout = url, name, timeout_seconds
        self._lock = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str | int] | None = None,
        content_type: str = "application/json",
    ) -> None:
        """Return once the broker has confirmed; raises PublishFailed within the time-out."""
        message = aio_pika.Message(
            body,
            message_id=message_id,
            headers={**_tracing(), **(headers or {})},
            content_type=content_type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        used = self._connection
        try:
            async with asyncio.timeout(self._timeout):
                target = await self._exchange(exchange)
                used = self._connection
                await target.publish(message, routing_key, mandatory=True, timeout=self._timeout)
        except BROKER_ERRORS as error:
            await self._drop_if_broken(used, error)
            failure = PublishRefused if _is_refusal(error) else PublishFailed
            raise failure(f"{exchange}/{routing_key}: {error!r}"[:300]) from error

    async def publish_event(self, event: FleetEvent) -> None:
        """Publish an event under its type as routing key; raises PublishFailed."""
        await self.publish(EVENTS_EXCHANGE, event.type, encode_event(event), message_id=str(event.id))

    async def depth(self, queue: str) -> int:
        """Messages that wait in a queue; raises PublishFailed."""
        used = self._connection
        try:
            async with asyncio.timeout(self._timeout):
                await self._exchange(EVENTS_EXCHANGE)
                used, channel = self._connection, self._channel
                assert channel is not None
                found = await channel.declare_queue(queue, passive=True)
        except BROKER_ERRORS as error:
            await self._drop_if_broken(used, error)
            raise PublishFailed(f"{queue}: {error!r}"[:300]) from error
        return found.declaration_result.message_count or 0

    async def check(self) -> None:
        """Raise if the broker cannot be reached; for health."""
        async with asyncio.timeout(self._timeout):
            await self._exchange(EVENTS_EXCHANGE)

    async def close(self) -> None:
        """Close the connection; a later publish opens a new one."""
        connection, self._connection, self._channel = self._connection, None, None
        self._exchanges = {}
        if connection is not None:
            try:
                async with asyncio.timeout(2):
                    await connection.close()
            except BROKER_ERRORS:
                log.debug("the connection was gone already")

    async def _exchange(self, name: str) -> AbstractExchange:
        async with self._lock:
            if self._channel is None or self._channel.is_closed or self._is_lost():
                await self.close()
                self._connection = await connect(self._url, self._name, timeout=self._timeout)
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            if name not in self._exchanges:
                self._exchanges[name] = await self._channel.get_exchange(name, ensure=False)
            return self._exchanges[name]

    def _is_lost(self) -> bool:
        return self._connection is None or self._connection.is_closed

    async def _drop_if_broken(self, used: AbstractConnection | None, error: BaseException) -> None:
        """A time-out may mean a frozen connection; start the next publish on a fresh one."""
        if not isinstance(error, DeliveryError):
            async with self._lock:
                if self._connection is used:
                    await self.close()


def _is_refusal(error: BaseException) -> bool:
    """The broker said no (basic.nack); one that is unroutable comes back instead."""
    return isinstance(error, DeliveryError) and not isinstance(error, PublishError)


def _tracing() -> dict[str, str]:
    request_id = current_request_id()
    return {HEADER.lower(): request_id} if request_id else {}

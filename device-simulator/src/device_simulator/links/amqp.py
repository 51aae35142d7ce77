"""AMQP: a message is accepted when the broker has confirmed that it reached a queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError

from device_simulator.credentials import Credential
from device_simulator.errors import CannotStart, NotAccepted
from device_simulator.links.addresses import Addresses
from device_simulator.links.connected import CONFIRM_TIMEOUT, ConnectedLink
from fleet_contracts.topology import TELEMETRY_EXCHANGE, telemetry_key


class AmqpLink(ConnectedLink[AbstractExchange]):
    """A connection for one device's readings, with the login of a trusted producer.

    Raises CannotStart without such a login: devices' keys open MQTT and HTTP only.
    """

    errors = (OSError, AMQPError, ChannelInvalidStateError, asyncio.InvalidStateError)

    def __init__(self, credential: Credential, addresses: Addresses) -> None:
        super().__init__(credential.id)
        if not addresses.amqp_user:
            raise CannotStart(
                "AMQP needs a producer's login: make one with `make broker-user NAME=simulator`, "
                "then set FLEET_AMQP_USER and FLEET_AMQP_PASSWORD"
            )
        self._addresses = addresses
        self._key = telemetry_key(credential.id)
        self._gone = asyncio.Event()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AbstractExchange]:
        """The exchange, on a channel that raises for messages that no queue takes."""
        self._gone.clear()
        connection = await aio_pika.connect(
            host=self._addresses.amqp_host,
            port=self._addresses.amqp_port,
            virtualhost=self._addresses.amqp_vhost,
            login=self._addresses.amqp_user,
            password=self._addresses.amqp_password,
            timeout=CONFIRM_TIMEOUT,
        )
        async with connection:
            connection.close_callbacks.add(lambda *_: self._gone.set())
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            channel.close_callbacks.add(lambda *_: self._gone.set())
            yield await channel.get_exchange(TELEMETRY_EXCHANGE, ensure=False)

    async def closed(self, connection: AbstractExchange) -> None:
        """Wait for the connection's or the channel's end."""
        await self._gone.wait()

    async def send(self, body: bytes, message_id: str) -> None:
        """Publish, mandatory and persistent, and wait for the confirmation."""
        exchange = await self.connection()
        message = aio_pika.Message(
            body,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message_id,
        )
        try:
            await self.confirmed(exchange.publish(message, self._key, mandatory=True))
        except DeliveryError as error:
            raise NotAccepted(f"the broker did not take it: {error}", wait=1) from error
        except self.errors as error:
            self.suspect()
            raise NotAccepted(str(error) or type(error).__name__) from error

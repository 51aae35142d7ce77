"""MQTT 3.1.1, QoS 1: a message is accepted when its PUBACK has come."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt

from device_simulator.credentials import Credential
from device_simulator.errors import NotAccepted
from device_simulator.links.addresses import Addresses
from device_simulator.links.connected import CONFIRM_TIMEOUT, ConnectedLink

WINDOW = 200
"""Messages that may be on their way without confirmation."""


class MqttLink(ConnectedLink[aiomqtt.Client]):
    """One device's MQTT connection: user name is its id, password its key."""

    errors = (OSError, aiomqtt.MqttError)

    def __init__(self, credential: Credential, addresses: Addresses) -> None:
        super().__init__(credential.id)
        self._credential, self._addresses = credential, addresses
        self._topic = f"devices/{credential.id}/telemetry"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[aiomqtt.Client]:
        """A clean session under the device's own client id."""
        async with aiomqtt.Client(
            self._addresses.mqtt_host,
            self._addresses.mqtt_port,
            username=self._credential.id,
            password=self._credential.key,
            identifier=self._credential.id,
            timeout=CONFIRM_TIMEOUT,
            keepalive=30,
            max_inflight_messages=WINDOW,
            max_concurrent_outgoing_calls=WINDOW,
        ) as client:
            client.pending_calls_threshold = WINDOW
            yield client

    async def closed(self, connection: aiomqtt.Client) -> None:
        """Nothing is subscribed, so the message stream only ends with the connection."""
        async for _ in connection.messages:
            pass

    async def send(self, body: bytes, message_id: str) -> None:
        """Publish and wait for the PUBACK."""
        client = await self.connection()
        try:
            await self.confirmed(client.publish(self._topic, body, qos=1, timeout=math.inf))
        except (aiomqtt.MqttError, ValueError, OSError) as error:
            self.suspect()
            raise NotAccepted(str(error) or type(error).__name__) from error

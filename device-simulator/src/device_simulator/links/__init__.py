"""The ways on which a device's messages travel. Each link is one device's connection."""

from typing import Protocol

from device_simulator.credentials import Credential
from device_simulator.links.addresses import Addresses


class Link(Protocol):
    """One device's way to the platform."""

    async def run(self) -> None:
        """Stay connected until cancelled; reconnects with growing delays."""

    async def send(self, body: bytes, message_id: str) -> None:
        """Return once the platform has accepted the message; raises NotAccepted or Refused."""


class MakeLink(Protocol):
    """Makes the link of one device."""

    def __call__(self, credential: Credential, addresses: Addresses) -> Link:
        """Make it; nothing connects before `run`."""

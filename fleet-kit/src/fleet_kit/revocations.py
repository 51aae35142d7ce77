"""Receives `token.revoked` in every API process, over an exclusive queue that ends with the process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from fleet_contracts.events import TokenRevoked, TokenRevokedData, parse_event
from fleet_contracts.topology import EVENTS_EXCHANGE
from fleet_kit.messaging import BROKER_ERRORS, connect
from fleet_kit.token_denylist import DenylistClient

log = structlog.get_logger(__name__)
OnRevoked = Callable[[TokenRevokedData], Awaitable[None]]


class RevocationListener:
    """Fills the denylist's local memory and calls `on_revoked`.

    It only makes refusal faster: while it cannot reach the broker, Redis and signing-service still answer.
    """

    def __init__(
        self, url: str, name: str, denylist: DenylistClient, on_revoked: OnRevoked | None = None
    ) -> None:
        self._url, self._name, self._denylist, self._on_revoked = url, name, denylist, on_revoked

    async def run(self) -> None:
        """Listen until cancelled, reconnecting after failures."""
        while True:
            with suppress(*BROKER_ERRORS):
                await self._session()
            await asyncio.sleep(1)

    async def _session(self) -> None:
        connection = await connect(self._url, f"{self._name}:revocations")
        closed = asyncio.Event()
        connection.close_callbacks.add(lambda *_: closed.set())
        try:
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: closed.set())
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(EVENTS_EXCHANGE, "token.revoked")
            await queue.consume(self._on_message, no_ack=True)
            await closed.wait()
        finally:
            with suppress(*BROKER_ERRORS):
                async with asyncio.timeout(2):
                    await connection.close()

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        try:
            event = parse_event(message.body)
        except (ValidationError, ValueError):
            log.warning("not a token.revoked event, ignored")
            return
        if isinstance(event, TokenRevoked):
            until = event.data.expires_at.timestamp()
            for identifier in filter(None, (event.data.jti, event.data.sid)):
                self._denylist.remember(identifier, until)
            if self._on_revoked is not None:
                await self._on_revoked(event.data)

"""A link that holds a connection open, makes a new one when it is lost, and lends it out."""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from device_simulator.errors import NotAccepted

log = logging.getLogger(__name__)

FIRST_DELAY = 0.5
LONGEST_DELAY = 15.0
"""Seconds between attempts to connect."""
CONFIRM_TIMEOUT = 10.0
"""Seconds to wait for a connection, and for the broker's confirmation."""

Connection = TypeVar("Connection")


class ConnectedLink(ABC, Generic[Connection]):
    """What MQTT and AMQP links have in common. `errors` are those that mean a lost connection."""

    errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, name: str) -> None:
        self._name = name
        self._up: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._suspect = asyncio.Event()
        self._unconfirmed: set[asyncio.Timeout] = set()

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """A connection, open while inside the context."""

    @abstractmethod
    async def closed(self, connection: Connection) -> None:
        """Return, or raise one of `errors`, once the connection has gone."""

    async def run(self) -> None:
        """Stay connected until cancelled."""
        delay = FIRST_DELAY
        while True:
            try:
                async with self.connect() as connection:
                    delay = FIRST_DELAY
                    self._suspect.clear()
                    self._up.set_result(connection)
                    await self._until_gone(connection)
            except self.errors as error:
                log.warning("%s is disconnected: %s", self._name, error or type(error).__name__)
            finally:
                self._lost()
            await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311  spreads reconnects
            delay = min(delay * 2, LONGEST_DELAY)

    def _lost(self) -> None:
        loop = asyncio.get_running_loop()
        if self._up.done():
            self._up = loop.create_future()
        for limit in self._unconfirmed:
            limit.reschedule(loop.time())

    async def confirmed(self, publishing: Awaitable[object]) -> None:
        """Wait for a confirmation; TimeoutError after CONFIRM_TIMEOUT, or once the connection is lost."""
        async with asyncio.timeout(CONFIRM_TIMEOUT) as limit:
            self._unconfirmed.add(limit)
            try:
                await publishing
            except asyncio.CancelledError:
                # A closing AMQP channel cancels what waits for it; that must not end the task that waits.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                raise ConnectionError("closed before it was confirmed") from None
            finally:
                self._unconfirmed.discard(limit)

    async def _until_gone(self, connection: Connection) -> None:
        tasks = {
            asyncio.ensure_future(self.closed(connection)),
            asyncio.ensure_future(self._suspect.wait()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def connection(self) -> Connection:
        """The open connection; raises NotAccepted where there is none for CONFIRM_TIMEOUT seconds."""
        if self._up.done():
            return self._up.result()
        try:
            return await asyncio.wait_for(asyncio.shield(self._up), CONFIRM_TIMEOUT)
        except TimeoutError:
            raise NotAccepted("not connected") from None

    def suspect(self) -> None:
        """A confirmation did not come: the connection may be dead without knowing, so make a new one."""
        self._suspect.set()

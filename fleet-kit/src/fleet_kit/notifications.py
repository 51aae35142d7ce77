"""Wake-ups by Postgres (LISTEN and NOTIFY), always beside a poll.

A notification carries nothing and may be lost; it only ends the wait for the next poll. What is to be done
stands in a table.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

log = structlog.get_logger(__name__)

_CONNECT_TIMEOUT_SECONDS = 5.0
_RECONNECT_SECONDS = 1.0
_CHECK_SECONDS = 5.0
_OF_THE_DIALECT = {"prepared_statement_cache_size", "prepared_statement_name_func"}
_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def notify(session: AsyncSession, channel: str) -> None:
    """Wake whoever listens on the channel, when the session's transaction commits."""
    await session.execute(select(func.pg_notify(channel, "")))


class Notifications:
    """Listens on one channel over a connection of its own, which comes back by itself."""

    def __init__(self, engine: AsyncEngine, channel: str) -> None:
        # As the engine itself connects, `ssl` and other options of the URL included.
        options = engine.dialect.create_connect_args(engine.url)[1]
        self._options = {name: value for name, value in options.items() if name not in _OF_THE_DIALECT}
        self._channel = channel
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Notifications"]:
        """Listen in the background; while that is impossible, `wait` ends by its timeout."""
        listener = asyncio.create_task(self._listen())
        try:
            yield self
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    def wake(self) -> None:
        """End the present wait, or the next one at once."""
        self._wake.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """Whether something woke us since the last wait; False after the timeout."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _listen(self) -> None:
        while True:
            try:
                await self._session()
            except _ERRORS as error:
                log.info("not listening, polling continues", channel=self._channel, error=repr(error))
            except Exception as error:
                log.warning("not listening, polling continues", channel=self._channel, exc_info=error)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _session(self) -> None:
        """One connection, until it is lost."""
        connection = await asyncpg.connect(
            **(
                self._options
                | {
                    "timeout": _CONNECT_TIMEOUT_SECONDS,
                    "command_timeout": _CONNECT_TIMEOUT_SECONDS,
                    "server_settings": {"application_name": f"listen {self._channel}"},
                }
            )
        )
        try:
            await connection.add_listener(self._channel, lambda *_: self.wake())
            self.wake()  # whatever was notified while nobody listened
            while not connection.is_closed():
                await asyncio.sleep(_CHECK_SECONDS)
                # A connection that a firewall dropped shows only when something is sent.
                await connection.execute("SELECT 1", timeout=_CONNECT_TIMEOUT_SECONDS)
        finally:
            connection.terminate()

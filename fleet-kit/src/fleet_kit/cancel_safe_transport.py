"""Lets a call be cancelled without costing its client a connection.

httpcore forgets a connection that it has given to a request which is cancelled before it uses it (so does a
request that has waited too long for a connection): the pool counts it for ever, and after enough of them
every call ends with PoolTimeout. So requests wait for a permit here, never in the pool, and one that is
given up ends only while it waits for the network, where httpcore closes what it leaves.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import httpx


class CancelSafeTransport(httpx.AsyncBaseTransport):
    """`pool` with at most `connections` requests in it at the same time, as many as it has connections."""

    def __init__(self, pool: httpx.AsyncBaseTransport, connections: int) -> None:
        self._pool, self._permits = pool, asyncio.Semaphore(connections)
        self._ending = set[asyncio.Task[None]]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx.AsyncBaseTransport."""
        await self._wait_for_permit(request)
        exchange = _Exchange()
        request.extensions = {**request.extensions, "trace": exchange.trace}
        call = asyncio.create_task(self._pool.handle_async_request(request))
        try:
            response = await asyncio.shield(call)
        except asyncio.CancelledError:
            exchange.give_up(call)
            self._finish(self._ended(call))
            raise
        except BaseException:
            self._permits.release()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream, self, exchange)
        return response

    async def close_body(self, body: "_Body") -> None:
        """Give the response's connection back, also if whoever asks for it is cancelled meanwhile."""
        await asyncio.shield(self._finish(self._closed(body)))

    async def aclose(self) -> None:
        """Close all connections."""
        for task in list(self._ending):
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._pool.aclose()

    async def _wait_for_permit(self, request: httpx.Request) -> None:
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await self._permits.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("all connections are in use", request=request) from error

    def _finish(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Have it done, whoever is cancelled."""
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _ended(self, call: "asyncio.Task[httpx.Response]") -> None:
        try:
            await asyncio.wait({call})
            if not call.cancelled() and call.exception() is None:
                await call.result().aclose()
        finally:
            self._permits.release()

    async def _closed(self, body: "_Body") -> None:
        try:
            await body.close()
        finally:
            self._permits.release()


class _Exchange:
    """Follows one request through httpcore, to end it where that is safe once it was given up."""

    def __init__(self) -> None:
        self._at_network = self._given_up = False

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """Called by httpcore before and after it does something with the network."""
        # What closes a connection is not to be interrupted.
        self._at_network = event.endswith(".started") and "response_closed" not in event
        if self._at_network and self._given_up:
            raise asyncio.CancelledError

    def give_up(self, call: "asyncio.Task[Any]") -> None:
        """End the request, or reading its answer, now, or as soon as it comes to the network."""
        self._given_up = True
        if self._at_network:
            call.cancel()


class _Body(httpx.AsyncByteStream):
    """Reads each part in a task of its own, which may end by itself.

    httpcore closes the connection where reading fails or is cancelled, and loses it if that is cancelled too.
    """

    def __init__(
        self, body: httpx.AsyncByteStream, transport: CancelSafeTransport, exchange: _Exchange
    ) -> None:
        self._body, self._transport, self._exchange, self._open = body, transport, exchange, True
        self._given_up: asyncio.Task[bytes | None] | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = aiter(self._body)
        while True:
            reading = asyncio.create_task(_next(parts))
            try:
                part = await asyncio.shield(reading)
            except asyncio.CancelledError:
                self._given_up = reading
                self._exchange.give_up(reading)
                raise
            if part is None:
                return
            yield part

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            await self._transport.close_body(self)

    async def close(self) -> None:
        """Not to be interrupted. Ends once httpcore is done with the connection."""
        if self._given_up is not None:
            await asyncio.wait({self._given_up})
        await self._body.aclose()


async def _next(parts: AsyncIterator[bytes]) -> bytes | None:
    return await anext(parts, None)

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from fleet_kit.http_client import open_http
from fleet_kit.testing import eventually

ANSWERS = {
    b"/": b"Content-Length: 2\r\n\r\n{}",
    b"/half": b"Content-Length: 4\r\n\r\n{}",
    b"/broken": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nnot a length\r\n",
}


class Server:
    """Answers once it may; counts the requests that have come and the connections that are open."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked = self.open = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(OSError, asyncio.IncompleteReadError):
            while request := await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                closing = asyncio.create_task(reader.read(1))
                answering = asyncio.create_task(self.may_answer.wait())
                await asyncio.wait({closing, answering}, return_when=asyncio.FIRST_COMPLETED)
                if closing.done():
                    break
                closing.cancel()
                await asyncio.wait({closing})
                writer.write(b"HTTP/1.1 200 OK\r\n" + ANSWERS[request.split()[1]])
                await writer.drain()
        self.open -= 1
        writer.close()


async def test_the_shared_client_ignores_proxies_of_the_environment() -> None:
    async with open_http() as http:
        assert not http.trust_env


@pytest.mark.parametrize("turns_of_the_loop", range(12))
async def test_calls_given_up_at_any_moment_cost_the_client_no_connection(turns_of_the_loop: int) -> None:
    server = Server()
    async with server.listening() as url, open_http(connections=5, timeout_seconds=30) as http:
        for _ in range(3):
            calls = [asyncio.create_task(http.get(url)) for _ in range(30)]
            for _ in range(turns_of_the_loop):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        server.may_answer.set()
        answers = await asyncio.gather(*(http.get(url) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10


async def test_calls_given_up_while_they_wait_for_an_answer_end_at_the_server_too() -> None:
    server = Server()
    async with server.listening() as url, open_http(connections=5, timeout_seconds=30) as http:

        async def all_asked() -> bool:
            return server.asked == 5

        async def none_left() -> bool:
            return server.open == 0

        calls = [asyncio.create_task(http.get(url)) for _ in range(40)]
        await eventually(all_asked)
        for call in calls:
            call.cancel()
        await eventually(none_left)
        assert server.asked == 5
        server.may_answer.set()
        assert (await http.get(url)).status_code == 200


async def test_waiting_for_a_connection_ends_with_a_pool_timeout_and_costs_none() -> None:
    server = Server()
    timeout = httpx.Timeout(30, pool=0.01)
    async with server.listening() as url, open_http(connections=2, timeout_seconds=timeout) as http:
        calls = [asyncio.create_task(http.get(url)) for _ in range(20)]

        async def too_many_refused() -> bool:
            return sum(call.done() for call in calls) == 18

        await eventually(too_many_refused)
        server.may_answer.set()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(end, httpx.PoolTimeout) for end in ends) == 18
        assert (await http.get(url)).status_code == 200


class Reader:
    """Reads an answer that is never whole. `waits`: between the first part and what comes then."""

    def __init__(self, http: httpx.AsyncClient, address: str, *, waits: bool) -> None:
        self._http, self._address, self._waits = http, address, waits
        self._has_part = asyncio.Event()

    async def _read(self) -> None:
        async with self._http.stream("GET", self._address) as answer:
            async for _ in answer.aiter_raw():
                self._has_part.set()
                if self._waits:
                    await asyncio.Event().wait()

    async def give_up(self, *turns_of_the_loop: int) -> None:
        """Once it has the first part: cancelled as often as there are numbers, after so many turns each."""
        task = asyncio.create_task(self._read())
        await self._has_part.wait()
        for turns in turns_of_the_loop:
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("path", "waits"),
    [("/half", False), ("/half", True), ("/broken", False)],
    ids=["while it reads", "between two reads", "while a failure ends it"],
)
@pytest.mark.parametrize("later", range(8))
async def test_a_stream_given_up_in_the_middle_costs_no_connection(
    path: str, waits: bool, later: int
) -> None:
    server = Server()
    server.may_answer.set()
    timeout = httpx.Timeout(30, pool=2)
    async with server.listening() as url, open_http(connections=1, timeout_seconds=timeout) as http:
        for turns in range(8):
            await Reader(http, url + path, waits=waits).give_up(turns, later)
            assert (await http.get(url)).json() == {}

        async def only_the_last_is_left() -> bool:
            return server.open == 1

        await eventually(only_the_last_is_left)

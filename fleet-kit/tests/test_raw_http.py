"""What only shows over a connection: requests that no parser accepts, and bodies that do not come."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request

from fleet_kit import errors
from fleet_kit.middleware import RequestContext
from fleet_kit.serve import server
from fleet_kit.testing import eventually

pytestmark = pytest.mark.attack


@asynccontextmanager
async def serving(body_seconds: float) -> AsyncIterator[int]:
    app = FastAPI()
    errors.install(app)
    app.add_middleware(RequestContext, body_seconds=body_seconds)

    @app.post("/by-hand")
    async def by_hand(request: Request) -> int:
        return len(await request.body())

    @app.post("/form")
    async def form(request: Request) -> int:
        return len(await request.form())

    @app.post("/parsed")
    async def parsed(body: dict[str, int]) -> int:
        return len(body)

    instance = server(app, "127.0.0.1", 0)
    task = asyncio.create_task(instance._serve())

    async def up() -> bool:
        return bool(instance.started)

    await eventually(up)
    yield instance.servers[0].sockets[0].getsockname()[1]
    instance.should_exit = True
    await task


async def answer(port: int, request: bytes) -> tuple[str, dict[str, object], str]:
    """Status line, error and headers of the answer; the connection stays open until it has come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(line for line in head.lower().splitlines() if line.startswith("content-length"))
    body = await reader.readexactly(int(length.split(":")[1]))
    writer.close()
    return head.splitlines()[0], json.loads(body)["error"], head


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"FOO /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nX-Request-ID: abc\r\nX-Bad: a\x01b\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_the_one_error_shape(request_bytes: bytes) -> None:
    async with serving(60) as port:
        status, error, head = await answer(port, request_bytes)
    assert (status, error["code"]) == ("HTTP/1.1 400 Bad Request", "BAD_REQUEST")
    assert f"x-request-id: {error['request_id']}" in head
    assert error["request_id"] == "abc" or b"abc" not in request_bytes


@pytest.mark.parametrize("path", ["/by-hand", "/form", "/parsed"])
async def test_a_body_that_does_not_come_is_given_up(path: str) -> None:
    kind, begun = ("multipart/form-data; boundary=b", "-") if path == "/form" else ("application/json", "{")
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n{begun}"
    async with serving(0.05) as port:
        status, error, _ = await answer(port, request.encode())
    assert (status, error["code"]) == ("HTTP/1.1 408 Request Timeout", "REQUEST_TIMEOUT")

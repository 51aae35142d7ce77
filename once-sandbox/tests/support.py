"""Building sandboxes and talking to them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

from once_sandbox.gate.middleware import Gate
from once_sandbox.main import create_app
from once_sandbox.settings import Settings


class Client(httpx.AsyncClient):
    """A customer of the sandbox, and at the same time its operator."""

    sandbox_app: Gate

    async def log_in(self) -> None:
        answer = await self.post(
            "/oauth/token", auth=("sandbox", "sandbox"), json={"grant_type": "client_credentials"}
        )
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    async def control(self, method: str, path: str, body: object = None) -> httpx.Response:
        answer = await self.request(method, f"/control{path}", json=body)
        assert answer.is_success, answer.text
        return answer

    async def advance(self, seconds: float) -> None:
        await self.control("POST", "/clock", {"advance_seconds": seconds})

    async def behave(self, **behaviours: object) -> None:
        await self.control("PATCH", "/behaviours", behaviours)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The address of a real server around the application."""
    config = uvicorn.Config(app, port=0, log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


def make_app(**settings: object) -> Gate:
    """A sandbox with 60 SIMs and without the rate limit, unless told otherwise."""
    limited = settings.pop("rate_limit_enabled", False)
    app = create_app(Settings.model_validate({"sims": 60, "seed": 7, **settings}))
    app.sandbox.world.behaviours.rate_limit_enabled = bool(limited)
    return app


@asynccontextmanager
async def make_client(**settings: object) -> AsyncIterator[Client]:
    """A logged-in customer of a sandbox in this process."""
    app = make_app(**settings)
    async with Client(transport=httpx.ASGITransport(app), base_url="http://carrier", timeout=60) as client:
        client.sandbox_app = app
        await client.log_in()
        yield client


def iccid(index: int) -> str:
    """The ICCID of a seeded SIM; the first ten are enabled and have quota left."""
    return str(8_988_280_666_000_000_000 + index)


async def eventually(check: Callable[[], object], timeout: float = 10.0) -> None:
    """Wait until a check is true."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not check():
        assert asyncio.get_running_loop().time() < deadline, "did not come true in time"
        await asyncio.sleep(0.02)

"""Work that nobody waits for any more ends: what a request started, when its client has left."""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from fastapi import Request

from fleet_kit.errors import FleetError

T = TypeVar("T")


class ClientGone(FleetError):
    """The client has closed its connection; nobody reads the answer."""

    status: ClassVar[int] = 499
    default_code = "CLIENT_GONE"


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; it is cancelled, and ClientGone raised, when the client leaves first.

    Only after the request's body has been read.
    """
    task, gone = asyncio.create_task(work), asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone("the client has left")
        return await task
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

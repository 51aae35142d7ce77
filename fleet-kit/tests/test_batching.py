"""How much is handled at a time."""

import asyncio
from types import SimpleNamespace
from typing import cast

from aio_pika.abc import AbstractIncomingMessage

from fleet_kit.batching import Backlog, Inbox, collect
from fleet_kit.failure_router import Delivery
from fleet_kit.messaging import Publisher
from fleet_kit.testing import eventually

from .support import consuming, send


async def test_a_batch_ends_with_the_message_that_makes_it_large() -> None:
    inbox: Inbox = asyncio.Queue()
    for size in (400, 500, 300, 200):
        inbox.put_nowait(cast(AbstractIncomingMessage, SimpleNamespace(body=bytes(size))))
    sizes = [[len(message.body) for message in (await collect(inbox, 100, 0.0, 800))[0]] for _ in range(2)]
    assert sizes == [[400, 500], [300, 200]]


async def test_the_backlog_says_whether_whole_batches_wait(amqp_url: str, publisher: Publisher) -> None:
    going, waiting = asyncio.Event(), list[bool]()
    backlog = Backlog()

    async def handle(_: list[Delivery]) -> None:
        waiting.append(backlog.is_waiting)
        await going.wait()

    async def handled(number: int) -> bool:
        return len(waiting) >= number and consumer._inbox.empty()

    async def five_more() -> bool:
        return consumer._inbox.qsize() >= 5

    async with consuming(amqp_url, publisher, handle, max_batch=5, prefetch=10, backlog=backlog) as consumer:
        await send(publisher, b"first")
        await eventually(lambda: handled(1))
        await send(publisher, *[b"more"] * 7)
        await eventually(five_more)
        going.set()
        await eventually(lambda: handled(3))
        assert waiting == [False, True, False]
        going.clear()
        await send(publisher, b"another")
        await eventually(lambda: handled(4))
        await send(publisher, *[b"more"] * 5)
        await eventually(five_more)
        going.set()

        async def nothing_waits() -> bool:
            return not backlog.is_waiting

        await eventually(lambda: handled(5))
        await eventually(nothing_waits)

"""Small asyncio tools of the run: work in the background, work until a signal."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets; a second signal interrupts at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stopped(number: int) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stopped, number)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while inside the context; an error in it ends the context with that error."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def all_of(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all at the same time until the last is done."""
    async with asyncio.TaskGroup() as group:
        for part in work:
            group.create_task(part)


async def until(
    stop: asyncio.Event, work: Coroutine[Any, Any, Result], seconds: float | None = None
) -> Result | None:
    """The result of `work`; None where `stop` was set or the seconds were over first."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for either in (task, stopped):
            either.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)

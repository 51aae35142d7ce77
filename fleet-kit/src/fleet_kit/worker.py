"""A service's second process: relays, consumers and jobs, with health and metrics of its own."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI

from fleet_kit.health import Check, add_health
from fleet_kit.http_metrics import add_metrics
from fleet_kit.logging import configure_logging
from fleet_kit.serve import server
from fleet_kit.settings import ServiceSettings

log = structlog.get_logger(__name__)
Job = Callable[[], Awaitable[None]]
DRAIN_SECONDS = 20
"""How long a stopping worker may finish the batch that it has in hand."""
HEALTH_SECONDS = 2
"""And the answers about its health."""


async def run_worker(
    name: str,
    settings: ServiceSettings,
    jobs: Mapping[str, Job],
    *,
    checks: Mapping[str, Check],
    stops: Sequence[Job] = (),
) -> None:
    """Run the jobs until SIGTERM or SIGINT; a job that ends or fails ends the process, to be restarted.

    `stops` are asked first to end consumers between two batches; then whatever still runs is cancelled.
    """
    configure_logging(name, settings.log_level)
    stopping = asyncio.Event()
    _on_signal(stopping)
    tasks = [asyncio.create_task(_job(job), name=title) for title, job in jobs.items()]
    health = _health_server(name, settings, checks)
    serving = asyncio.create_task(health._serve(), name="health")
    waiter = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({*tasks, waiter}, return_when=asyncio.FIRST_COMPLETED)
    await _drain(tasks, stops)
    await _end(health, serving)
    for task in done - {waiter}:
        error = task.exception()
        log.error("job ended", job=task.get_name(), exc_info=error)
        raise SystemExit(1)


def main(run: Callable[[], Awaitable[None]]) -> None:
    """Run a worker's coroutine on uvloop."""
    uvloop.run(_awaited(run))


async def every(seconds: float, job: Callable[[], Awaitable[object]], *, name: str) -> None:
    """Repeat a job; a failure is logged and the next round tries again."""
    while True:
        try:
            await job()
        except Exception as error:
            log.warning("job failed, will be repeated", job=name, error=repr(error))
        await asyncio.sleep(seconds)


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()


async def _job(job: Job) -> None:
    await job()


async def _drain(tasks: Sequence["asyncio.Task[None]"], stops: Sequence[Job]) -> None:
    for stop in stops:
        await stop()
    if stops:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.gather(*(task for task in tasks if _is_consumer(task)), return_exceptions=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_consumer(task: "asyncio.Task[None]") -> bool:
    return task.get_name().startswith("consume")


def _on_signal(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


def _health_server(name: str, settings: ServiceSettings, checks: Mapping[str, Check]) -> uvicorn.Server:
    app = FastAPI(title=name, openapi_url=None)
    add_health(app, lambda: checks)
    add_metrics(app)
    instance = server(app, settings.host, settings.worker_port)
    instance.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    return instance


async def _end(health: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    """End the server as it ends itself: a cancelled one logs a traceback. An answer that lasts is cut off."""
    health.should_exit = True
    await asyncio.wait({serving}, timeout=HEALTH_SECONDS)
    serving.cancel()
    with suppress(asyncio.CancelledError, SystemExit):
        await serving

"""Posting: batches of the Data Streamer, single messages of the SMS Forwarder, both with retries."""

import asyncio
import itertools
import logging
import time

import httpx

from once_sandbox.sandbox import Sandbox
from once_sandbox.streams.flat import flat
from once_sandbox.streams.models import Delivery, Stream
from once_sandbox.streams.schemas import ForwarderConfig
from once_sandbox.streams.service import distribute
from once_sandbox.timeline import settle
from once_sandbox.wire import Json

_LOG = logging.getLogger(__name__)
TICK = 0.05
AT_ONCE = 8
"""SMS pushes under way at the same time."""


async def run(sandbox: Sandbox) -> None:
    """Let time pass and push what is due, until cancelled."""
    async with httpx.AsyncClient() as client:
        sandbox.pushes.client = client
        busy: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                try:
                    settle(sandbox.world)
                    distribute(sandbox)
                    _start(sandbox, busy)
                except Exception:
                    _LOG.exception("a planned action or a push failed; the others go on")
                await asyncio.sleep(TICK)
        finally:
            for task in busy.values():
                task.cancel()


def _start(sandbox: Sandbox, busy: dict[str, asyncio.Task[None]]) -> None:
    for name in [name for name, task in busy.items() if task.done()]:
        busy.pop(name).result()
    now = time.monotonic()
    for stream in sandbox.pushes.streams.values():
        ready = stream.state == "running" and stream.queue and stream.pace.next_at <= now
        if ready and f"stream {stream.id}" not in busy:
            busy[f"stream {stream.id}"] = asyncio.create_task(post_batch(sandbox, stream))
    if sandbox.pushes.deliveries and sandbox.pushes.forwarder and "forwarder" not in busy:
        busy["forwarder"] = asyncio.create_task(forward_due(sandbox, sandbox.pushes.forwarder))


async def post_batch(sandbox: Sandbox, stream: Stream) -> None:
    """Post the oldest records of a stream; they stay in the queue unless the answer is 200."""
    config = stream.config
    batch = list(itertools.islice(stream.queue, config.max_records))
    records = _spoiled(sandbox, config.topic, batch, is_flat=config.shape == "flat")
    auth = (config.username, config.password.get_secret_value()) if config.username else None
    stream.posts += 1
    error = await _send(sandbox, "POST", config.url, records, auth=auth, timeout=config.timeout_seconds)
    now = time.monotonic()
    if error is None:
        for _ in range(min(len(batch), len(stream.queue))):
            stream.queue.popleft()
        stream.delivered += len(batch)
        stream.pace.succeeded(now, config.interval_seconds)
        return
    stream.pace.failed(now, config.retry_seconds, error)
    if stream.pace.failures >= config.give_up_after:
        stream.state = "stopped"


def _spoiled(sandbox: Sandbox, topic: str, records: list[Json], *, is_flat: bool) -> list[Json]:
    """The records as they leave, with the faults that hit this push."""
    for rule in sandbox.faults.hits("POST", f"/push/{topic}", push=True):
        if rule.kind == "duplicate_records":
            records = [*records, *records[: -(-len(records) // 3)]]
        elif rule.kind == "shuffle_records":
            sandbox.faults.chance.shuffle(records := list(records))
        elif rule.kind == "flat_records":
            is_flat = True
    return [flat(record) for record in records] if is_flat else records


async def forward_due(sandbox: Sandbox, config: ForwarderConfig) -> None:
    """Push waiting messages and reports; what fails waits longer each time, and at most for a day."""
    now = time.monotonic()
    due = [delivery for delivery in sandbox.pushes.deliveries if delivery.pace.next_at <= now][:AT_ONCE]
    await asyncio.gather(*(_forward(sandbox, config, delivery) for delivery in due))


async def _forward(sandbox: Sandbox, config: ForwarderConfig, delivery: Delivery) -> None:
    auth = (config.username, config.password.get_secret_value()) if config.username else None
    error = await _send(
        sandbox,
        delivery.method,
        config.url,
        delivery.body,
        auth=auth,
        timeout=config.timeout_seconds,
        headers=config.headers,
    )
    pushes, late = sandbox.pushes, sandbox.world.clock.now() - delivery.since > config.give_up_after_seconds
    if error is not None:
        delivery.pace.failed(time.monotonic(), config.retry_seconds, error)
    if (error is None or late) and delivery in pushes.deliveries:
        pushes.deliveries.remove(delivery)
        pushes.forwarded += error is None
        pushes.given_up += error is not None


async def _send(
    sandbox: Sandbox,
    method: str,
    url: str,
    body: Json | list[Json],
    *,
    auth: tuple[str, str] | None,
    timeout: float,
    headers: dict[str, str] | None = None,
) -> str | None:
    """None if the answer was good: 200 for streams, any 2xx for messages; otherwise what went wrong."""
    assert sandbox.pushes.client is not None
    try:
        answer = await sandbox.pushes.client.request(
            method, url, json=body, auth=auth, timeout=timeout, headers=headers
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}"
    good = answer.status_code == 200 if isinstance(body, list) else answer.is_success
    return None if good else f"answered {answer.status_code}"

"""Hints that something is due, carried by taskiq over a durable queue of the broker.

A hint names a job or a schedule; the worker that gets it tries to lease that job, or looks at that
schedule. Postgres decides, so a hint that comes twice or late does nothing, and one that is lost is made up
for by the look (service.py). Hints are acknowledged when they come: nothing depends on them.

The broker boots with exchange and queue (fleet_contracts.topology); where they are missing nothing is
declared here, as another declaration could stand in the way of the right one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import AMQPError as AiormqError
from taskiq import AsyncBroker, BrokerMessage, TaskiqScheduler
from taskiq.acks import AcknowledgeType
from taskiq.api import run_scheduler_task
from taskiq.exceptions import TaskiqError
from taskiq.kicker import AsyncKicker
from taskiq.receiver import Receiver
from taskiq_aio_pika import AioPikaBroker, Exchange, Queue
from taskiq_aio_pika.exceptions import BaseAioPikaBrokerError

from fleet_contracts.topology import SIM_TASKS, TASKS_EXCHANGE
from fleet_kit.messaging import HEARTBEAT_SECONDS
from sim_service.dispatch.ticks import SCHEDULE_DUE, Ticks
from sim_service.jobs.models import JobKind

log = structlog.get_logger(__name__)

JOB_DUE = "job_due"
_AWAY = (AMQPError, AiormqError, BaseAioPikaBrokerError, TaskiqError, OSError, TimeoutError, RuntimeError)
_PLANS_SECONDS = 5
_BACKOFF_SECONDS = (0.5, 15.0)


class NoHints(Exception):
    """The broker is away."""


@dataclass(frozen=True, slots=True)
class Receivers:
    """What is done with a hint; both return soon."""

    job_due: Callable[[UUID, JobKind], object]
    schedule_due: Callable[[JobKind], Awaitable[None]]


class Hints:
    """Sends and receives hints over connections of its own that come back by themselves."""

    def __init__(
        self, url: str, receivers: Receivers, ticks: Ticks, *, name: str, timeout_seconds: float
    ) -> None:
        self._url, self._receivers, self._ticks = url, receivers, ticks
        self._name, self._timeout = name, timeout_seconds
        self._broker: AsyncBroker | None = None

    async def run(self) -> None:
        """Receive until cancelled; a broker that is away is asked again, a little later each time."""
        delay = _BACKOFF_SECONDS[0]
        while not _cancelled():
            try:
                await self._session()
                delay = _BACKOFF_SECONDS[0]
            except _AWAY as error:
                log.warning("no hints from the broker, jobs go on by the look", error=repr(error))
            if not _cancelled():
                await asyncio.sleep(delay)
            delay = min(delay * 2, _BACKOFF_SECONDS[1])

    @property
    def connected(self) -> bool:
        """Whether hints come and go, as far as is known."""
        return self._broker is not None

    async def job_due(self, job_id: UUID, kind: JobKind) -> None:
        """Tell one of the workers, which may be this one; raises NoHints."""
        if self._broker is None:
            raise NoHints("not connected")
        try:
            kicker: AsyncKicker[..., None] = AsyncKicker(JOB_DUE, self._broker, {})
            await kicker.kiq(str(job_id), kind)
        except _AWAY as error:
            raise NoHints(repr(error)) from error

    async def _session(self) -> None:
        broker = self._open()
        try:
            await broker.startup()
            receiver = Receiver(
                broker,
                max_async_tasks=1,
                run_startup=False,
                ack_type=AcknowledgeType.WHEN_RECEIVED,
                wait_tasks_timeout=1,
            )
            self._broker = broker
            log.info("hints come and go", queue=SIM_TASKS.name)
            await self._receive(broker, receiver)
        finally:
            self._broker = None
            with suppress(*_AWAY):
                async with asyncio.timeout(2):
                    await broker.shutdown()

    async def _receive(self, broker: AsyncBroker, receiver: Receiver) -> None:
        """Until the queue is lost, which ends the ticks as well."""
        scheduler = TaskiqScheduler(broker, [self._ticks])
        ticking = asyncio.create_task(
            run_scheduler_task(scheduler, interval=timedelta(seconds=_PLANS_SECONDS))
        )
        try:
            await receiver.listen(asyncio.Event())
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    def _open(self) -> AsyncBroker:
        broker = _Broker(
            self._url,
            qos=1,
            exchange=Exchange(name=TASKS_EXCHANGE, declare=False),
            task_queues=[Queue(name=SIM_TASKS.name, declare=False)],
            # taskiq wants one; ours is none, as what is dropped is told again.
            dead_letter_queue=Queue(name=SIM_TASKS.name, declare=False),
            timeout=self._timeout,
            heartbeat=HEARTBEAT_SECONDS,
            client_properties={"connection_name": f"{self._name}:{SIM_TASKS.name}"},
        )
        broker.patience = self._timeout
        broker.is_worker_process = True
        _register(broker, self._receivers)
        return broker


def _cancelled() -> bool:
    """Whether this task was told to end: the libraries below may swallow the exception that says so."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _register(broker: AsyncBroker, receivers: Receivers) -> None:
    """taskiq takes functions, not methods."""

    async def job_due(job_id: UUID, kind: JobKind) -> None:
        receivers.job_due(job_id, kind)

    async def schedule_due(kind: JobKind) -> None:
        await receivers.schedule_due(kind)

    broker.register_task(job_due, JOB_DUE)
    broker.register_task(schedule_due, SCHEDULE_DUE)


class _Broker(AioPikaBroker):
    """Does not wait for ever to send while the connection is gone."""

    patience: float = 5.0

    async def kick(self, message: BrokerMessage) -> None:
        async with asyncio.timeout(self.patience):
            await super().kick(message)

"""The relay: sends what the outbox holds, in order per aggregate, and marks only what was confirmed."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import MetaData, Row, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_contracts.topology import EVENTS_EXCHANGE
from fleet_kit.availability import unexpected
from fleet_kit.messaging import Publisher, PublishFailed
from fleet_kit.notifications import Notifications
from fleet_kit.outbox import CHANNEL, outbox_table
from fleet_kit.outbox_schedule import next_events
from fleet_kit.request_id import HEADER

log = structlog.get_logger(__name__)
_table = outbox_table(MetaData())
_LOCK_CLASS = 0x0F1EE7
BATCH = 200
BATCH_SECONDS = 0.25
"""Then the next bucket has its turn: the events of one aggregate are sent one after another."""
KEEP_SENT = timedelta(days=1)
PURGE_BATCH = 10_000
"""Events deleted in one transaction, which has to end before the statement's timeout."""

SENT = Counter("fleet_outbox_sent_total", "Events that the broker has confirmed")
FAILED = Counter("fleet_outbox_failed_total", "Publishes of events that were not confirmed")
PENDING = Gauge("fleet_outbox_pending", "Events that wait in the outbox")
LAG = Gauge("fleet_outbox_lag_seconds", "Age of the oldest event that waits in the outbox")


class OutboxRelay:
    """Polls the outbox; NOTIFY only wakes it earlier.

    Several may run: an advisory lock lets one relay at a time work on a bucket. An aggregate stops at its
    first failure, so its events never overtake each other. Organisations take turns: who has saved many
    events does not keep others waiting.
    """

    def __init__(self, engine: AsyncEngine, publisher: Publisher, *, poll_seconds: float = 1.0) -> None:
        self._engine, self._publisher, self._poll = engine, publisher, poll_seconds
        self._notifications = Notifications(engine, CHANNEL)

    async def run(self) -> None:
        """Relay until cancelled; a server that is unavailable is waited for."""
        async with self._notifications.listening():
            while True:
                if not await self._sweep_safely():
                    await self._notifications.wait(self._poll)

    async def sweep(self) -> int:
        """One pass over the buckets that hold events; the number of events confirmed."""
        sent = 0
        for bucket in await self._waiting_buckets():
            sent += await self._relay_bucket(bucket)
        return sent

    async def _sweep_safely(self) -> int:
        try:
            return await self.sweep()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("outbox not relayed, trying again", error=repr(error), exc_info=unexpected(error))
            return 0

    async def _waiting_buckets(self) -> Sequence[int]:
        """One query where nothing waits: every worker asks each second. It also tells the metrics."""
        age = func.extract("epoch", func.now() - func.min(_table.c.created_at))
        statement = (
            select(_table.c.bucket, func.count().label("events"), age.label("age"))
            .where(_table.c.sent_at.is_(None))
            .group_by(_table.c.bucket)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).all()
        PENDING.set(sum(row.events for row in rows))
        LAG.set(max((float(row.age) for row in rows), default=0.0))
        return sorted(row.bucket for row in rows)

    async def _relay_bucket(self, bucket: int) -> int:
        async with self._engine.begin() as connection:
            locked = await connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCK_CLASS, bucket)))
            rows = await next_events(connection, bucket, BATCH) if locked else ()
            if not rows:
                return 0
            confirmed = await self._send(rows)
            if confirmed:
                statement = update(_table).where(_table.c.id.in_(confirmed)).values(sent_at=func.now())
                await connection.execute(statement)
            return len(confirmed)

    async def _send(self, rows: Sequence[Row[Any]]) -> list[int]:
        groups: dict[str, list[Row[Any]]] = {}
        for row in rows:
            groups.setdefault(row.aggregate, []).append(row)
        until = time.monotonic() + BATCH_SECONDS
        done = await asyncio.gather(*(self._send_in_order(group, until) for group in groups.values()))
        return list(itertools.chain.from_iterable(done))

    async def _send_in_order(self, rows: Sequence[Row[Any]], until: float) -> list[int]:
        confirmed: list[int] = []
        for row in rows:
            if confirmed and time.monotonic() > until:
                break
            headers = {HEADER.lower(): row.request_id} if row.request_id else {}
            try:
                await self._publisher.publish(
                    EVENTS_EXCHANGE,
                    row.type,
                    row.body.encode(),
                    message_id=str(row.event_id),
                    headers=headers,
                )
            except PublishFailed as error:
                FAILED.inc()
                log.warning("event not confirmed, kept", event_type=row.type, error=str(error))
                break
            SENT.inc()
            confirmed.append(row.id)
        return confirmed

    async def purge(self) -> int:
        """Delete events sent more than KEEP_SENT ago; how many went."""
        total, deleted = 0, PURGE_BATCH
        while deleted == PURGE_BATCH:
            old = select(_table.c.id).where(_table.c.sent_at < func.now() - KEEP_SENT).limit(PURGE_BATCH)
            async with self._engine.begin() as connection:
                deleted = (await connection.execute(delete(_table).where(_table.c.id.in_(old)))).rowcount
            total += deleted
        return total

"""The relay: sends what the outbox holds, in order per aggregate, and marks only what was confirmed."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import MetaData, Row, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from fleet_contracts.topology import EVENTS_EXCHANGE
from fleet_kit.idempotency import idempotency_table
from fleet_kit.messaging import Publisher, PublishFailed
from fleet_kit.outbox import BUCKETS, CHANNEL, outbox_table
from fleet_kit.request_id import HEADER

log = structlog.get_logger(__name__)
_table = outbox_table(MetaData())
_keys = idempotency_table(MetaData())
_LOCK_CLASS = 0x0F1EE7
BATCH = 200
KEEP_SENT = timedelta(days=1)
KEEP_KEYS = timedelta(days=7)
"""A request may be repeated with its Idempotency-Key for so long."""

SENT = Counter("fleet_outbox_sent_total", "Events that the broker has confirmed")
FAILED = Counter("fleet_outbox_failed_total", "Publishes of events that were not confirmed")
PENDING = Gauge("fleet_outbox_pending", "Events that wait in the outbox")
LAG = Gauge("fleet_outbox_lag_seconds", "Age of the oldest event that waits in the outbox")


class OutboxRelay:
    """Polls the outbox; NOTIFY only makes it look sooner.

    Several may run: an advisory lock lets one relay at a time work on a bucket. An aggregate stops at its
    first failure, so its events never overtake each other.
    """

    def __init__(self, engine: AsyncEngine, publisher: Publisher, *, poll_seconds: float = 1.0) -> None:
        self._engine, self._publisher, self._poll = engine, publisher, poll_seconds
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Relay until cancelled; a server that is away is waited for."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                self._wake.clear()
                sent = await self._sweep_safely()
                if not sent:
                    await self._wait()
        finally:
            listener.cancel()

    async def sweep(self) -> int:
        """One pass over all buckets; the number of events confirmed."""
        sent = 0
        for bucket in range(BUCKETS):
            sent += await self._relay_bucket(bucket)
        return sent

    async def _sweep_safely(self) -> int:
        try:
            sent = await self.sweep()
            await self._measure()
            return sent
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("the database is away", error=repr(error))
            return 0

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _relay_bucket(self, bucket: int) -> int:
        async with self._engine.begin() as connection:
            locked = await connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCK_CLASS, bucket)))
            rows = await _unsent(connection, bucket) if locked else ()
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
        done = await asyncio.gather(*(self._send_in_order(group) for group in groups.values()))
        return list(itertools.chain.from_iterable(done))

    async def _send_in_order(self, rows: Sequence[Row[Any]]) -> list[int]:
        confirmed: list[int] = []
        for row in rows:
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

    async def _measure(self) -> None:
        async with self._engine.begin() as connection:
            unsent = _table.c.sent_at.is_(None)
            age = func.extract("epoch", func.now() - func.min(_table.c.created_at))
            row = (await connection.execute(select(func.count(), age).where(unsent))).one()
            PENDING.set(row[0])
            LAG.set(float(row[1] or 0))

    async def purge(self) -> int:
        """Remove events sent more than KEEP_SENT ago, and old idempotency keys; the number of events."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(_keys).where(_keys.c.created_at < func.now() - KEEP_KEYS))
            statement = delete(_table).where(_table.c.sent_at < func.now() - KEEP_SENT)
            return (await connection.execute(statement)).rowcount

    async def _listen(self) -> None:
        """Wake at NOTIFY; whenever this fails the poll alone goes on."""
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                connection = await asyncpg.connect(url, timeout=5)
                try:
                    await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
                    while not connection.is_closed():
                        await asyncio.sleep(5)
                        await connection.execute("SELECT 1")
                finally:
                    connection.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.debug("not listening", error=repr(error))
                await asyncio.sleep(1)


async def _unsent(connection: AsyncConnection, bucket: int) -> Sequence[Row[Any]]:
    statement = (
        select(_table)
        .where(_table.c.bucket == bucket, _table.c.sent_at.is_(None))
        .order_by(_table.c.id)
        .limit(BATCH)
    )
    return (await connection.execute(statement)).all()

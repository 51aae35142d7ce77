import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from fleet_contracts.events import DeviceDeleted, DeviceRef, parse_event
from fleet_kit import relay as relay_module
from fleet_kit.database import create_sessions
from fleet_kit.ids import uuid7
from fleet_kit.messaging import PublishFailed
from fleet_kit.outbox import Outbox, bucket_of
from fleet_kit.relay import BATCH, OutboxRelay
from fleet_kit.testing import eventually

Sent = list[tuple[str, int]]


class Broker:
    """Records what is published; refuses what `refuses` says. The real broker is in test_messaging."""

    def __init__(self) -> None:
        self.sent: Sent = []
        self.refuses: Callable[[str, int], bool] = lambda subject, version: False

    async def publish(
        self, _: str, key: str, body: bytes, *, message_id: str, headers: object = None
    ) -> None:
        event = parse_event(body)
        assert (event.type, str(event.id)) == (key, message_id)
        await asyncio.sleep(0)
        if self.refuses(event.subject, event.data.version):
            raise PublishFailed("refused")
        self.sent.append((event.subject, event.data.version))


def deleted(device: UUID, version: int, owner: UUID | None = None) -> DeviceDeleted:
    ref = DeviceRef(id=device, version=version)
    return DeviceDeleted(source="t", subject=str(device), organizationid=owner, data=ref)


def in_the_bucket_of(device: UUID) -> UUID:
    others = (uuid7() for _ in itertools.count())
    return next(other for other in others if bucket_of(str(other)) == bucket_of(str(device)))


async def save(engine: AsyncEngine, *events: DeviceDeleted) -> None:
    async with create_sessions(engine)() as session, session.begin():
        await Outbox(session).add(*events)


async def pending(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM t_outbox WHERE sent_at IS NULL")) or 0)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def relay(engine: AsyncEngine, broker: Broker) -> OutboxRelay:
    return OutboxRelay(engine, broker, poll_seconds=30)  # type: ignore[arg-type]


@pytest.fixture
async def running(relay: OutboxRelay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_rolled_back_change_leaves_no_event(engine: AsyncEngine) -> None:
    with pytest.raises(ZeroDivisionError):
        async with create_sessions(engine)() as session, session.begin():
            await Outbox(session).add(deleted(uuid7(), 1))
            raise ZeroDivisionError
    assert await pending(engine) == 0


async def test_events_of_an_aggregate_are_sent_once_and_in_order(
    engine: AsyncEngine, relay: OutboxRelay, broker: Broker
) -> None:
    devices = [uuid7() for _ in range(5)]
    for version in range(10):
        await save(engine, *(deleted(device, version) for device in devices))
    while await relay.sweep():
        pass
    for device in devices:
        assert [version for subject, version in broker.sent if subject == str(device)] == list(range(10))
    assert await pending(engine) == 0


async def test_an_aggregate_stops_at_its_first_failure_and_others_go_on(
    engine: AsyncEngine, relay: OutboxRelay, broker: Broker
) -> None:
    stuck, free = uuid7(), uuid7()
    await save(engine, *(deleted(device, version) for device in (stuck, free) for version in range(3)))
    broker.refuses = lambda subject, version: subject == str(stuck) and version == 1
    await relay.sweep()
    assert [version for subject, version in broker.sent if subject == str(free)] == [0, 1, 2]
    assert [version for subject, version in broker.sent if subject == str(stuck)] == [0]
    assert await pending(engine) == 2
    broker.refuses = lambda subject, version: False
    await relay.sweep()
    assert [version for subject, version in broker.sent if subject == str(stuck)] == [0, 1, 2]


async def test_two_relays_keep_the_order_and_send_nothing_twice(
    engine: AsyncEngine, relay: OutboxRelay, broker: Broker
) -> None:
    second = OutboxRelay(engine, broker)  # type: ignore[arg-type]
    devices = [uuid7() for _ in range(20)]
    for version in range(5):
        await save(engine, *(deleted(device, version) for device in devices))
    while await pending(engine):
        await asyncio.gather(relay.sweep(), second.sweep())
    assert len(broker.sent) == len(set(broker.sent)) == 100
    for device in devices:
        assert [version for subject, version in broker.sent if subject == str(device)] == list(range(5))


async def test_one_organisations_many_events_do_not_keep_anothers_waiting(
    engine: AsyncEngine, relay: OutboxRelay, broker: Broker
) -> None:
    looping, loops, waits = uuid7(), uuid7(), uuid7()
    other = in_the_bucket_of(looping)
    await save(engine, *(deleted(looping, version, loops) for version in range(10 * BATCH)))
    await save(engine, *(deleted(other, version, waits) for version in range(3)))
    assert await relay.sweep() <= BATCH
    assert [version for subject, version in broker.sent if subject == str(other)] == [0, 1, 2]


async def test_what_an_aggregate_told_for_another_owner_is_sent_first(
    engine: AsyncEngine, relay: OutboxRelay, broker: Broker
) -> None:
    """A SIM changes hands while its former owner has many events that wait."""
    before, after, sim = uuid7(), uuid7(), uuid7()
    many = in_the_bucket_of(sim)
    await save(engine, *(deleted(many, version, before) for version in range(2 * BATCH)))
    await save(engine, deleted(sim, 1, before), deleted(sim, 2, after), deleted(sim, 3, before))
    await relay.sweep()
    assert (str(sim), 2) not in broker.sent
    while await pending(engine):
        await relay.sweep()
    assert [version for subject, version in broker.sent if subject == str(sim)] == [1, 2, 3]


async def test_an_aggregate_that_takes_long_leaves_the_turn_to_the_next_bucket(
    engine: AsyncEngine, relay: OutboxRelay, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BATCH_SECONDS", 0)
    device = uuid7()
    await save(engine, *(deleted(device, version) for version in range(3)))
    assert [await relay.sweep() for _ in range(4)] == [1, 1, 1, 0]
    assert [version for _, version in broker.sent] == [0, 1, 2]


async def test_an_outbox_in_which_nothing_waits_costs_one_query(
    engine: AsyncEngine, relay: OutboxRelay
) -> None:
    await relay.sweep()
    statements: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    await relay.sweep()
    event.remove(engine.sync_engine, "before_cursor_execute", record)
    assert len(statements) == 1, statements


async def test_a_commit_wakes_the_relay_long_before_its_poll(
    engine: AsyncEngine, broker: Broker, running: None
) -> None:
    numbers = itertools.count()

    async def arrives() -> bool:
        await save(engine, deleted(uuid7(), next(numbers)))
        return bool(broker.sent)

    await eventually(arrives, timeout=5)


async def test_sent_events_are_purged_after_their_time_and_unsent_ones_never(
    engine: AsyncEngine, relay: OutboxRelay
) -> None:
    await save(engine, deleted(uuid7(), 1), deleted(uuid7(), 2))
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE t_outbox SET sent_at = now() - interval '2 days' WHERE id % 2 = 0")
        )
        await connection.execute(text("UPDATE t_outbox SET created_at = now() - interval '9 days'"))
    assert await relay.purge() == 1
    assert await pending(engine) == 1

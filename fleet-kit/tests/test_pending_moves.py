"""A broker that takes no messages, but delivers them: what cannot be moved holds up nothing else."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from fleet_contracts.topology import ATTEMPTS_HEADER
from fleet_kit.batching import Backlog
from fleet_kit.consumer import Failure
from fleet_kit.failure_router import Delivery, RetryLater, SetAside
from fleet_kit.messaging import Publisher, PublishFailed
from fleet_kit.testing import eventually

from .support import QUEUE, consuming, depth, holds, send, take


@pytest.fixture
def blocked(publisher: Publisher) -> Iterator[pytest.MonkeyPatch]:
    """`undo` it, and the broker takes messages again."""

    async def refuse(*_: Any, **__: Any) -> None:
        raise PublishFailed("no confirmation")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "publish", refuse)
        yield patch


async def test_what_cannot_be_moved_waits_while_everything_else_is_handled(
    amqp_url: str, publisher: Publisher, blocked: pytest.MonkeyPatch
) -> None:
    sender = Publisher(amqp_url, "test")
    await send(sender, *(b"bad" if number % 10 == 5 else b"good" for number in range(50)))
    handled: list[bytes] = []

    async def handler(deliveries: list[Delivery]) -> Sequence[Failure]:
        bad = [one for one in deliveries if one.body == b"bad" and not one.attempts]
        handled.extend(one.body for one in deliveries if one not in bad)
        return [Failure(one, RetryLater("not yet")) for one in bad]

    async with consuming(amqp_url, publisher, handler, max_batch=10, prefetch=20) as consumer:
        await eventually(lambda: holds(lambda: handled.count(b"good") == 45))
        await eventually(lambda: holds(lambda: consumer._health.held is not None))
        blocked.undo()
        await eventually(lambda: holds(lambda: consumer._health.held is None and not consumer._pending))
        await eventually(lambda: holds(lambda: handled.count(b"bad") == 5))
    assert handled.count(b"good") == 45, "none of them twice"
    assert await depth(amqp_url, QUEUE.name) == 0
    await sender.close()


@pytest.mark.usefixtures("blocked")
async def test_at_the_end_what_could_not_be_moved_is_in_its_queue_again(
    amqp_url: str, publisher: Publisher
) -> None:
    sender = Publisher(amqp_url, "test")
    await send(sender, b"bad", b"good")

    async def handler(deliveries: list[Delivery]) -> Sequence[Failure]:
        return [Failure(one, RetryLater("not yet")) for one in deliveries if one.body == b"bad"]

    async with consuming(amqp_url, publisher, handler) as consumer:
        await eventually(lambda: holds(lambda: bool(consumer._pending)))
    kept = await take(amqp_url, QUEUE.name)
    assert kept.body == b"bad"
    assert ATTEMPTS_HEADER not in kept.headers
    assert await depth(amqp_url, QUEUE.name) == 0
    await sender.close()


@pytest.mark.usefixtures("blocked")
async def test_what_was_to_be_set_aside_is_handled_instead(amqp_url: str, publisher: Publisher) -> None:
    sender, backlog = Publisher(amqp_url, "test"), Backlog()
    await send(sender, *[b"flood"] * 50)
    handled: list[bytes] = []

    async def handler(deliveries: list[Delivery]) -> Sequence[Failure]:
        if not backlog.is_blocked:
            return [Failure(one, SetAside()) for one in deliveries]
        handled.extend(one.body for one in deliveries)
        return []

    async with consuming(amqp_url, publisher, handler, max_batch=10, prefetch=20, backlog=backlog):
        await eventually(lambda: holds(lambda: len(handled) == 50))
    assert await depth(amqp_url, QUEUE.name) == 0
    await sender.close()

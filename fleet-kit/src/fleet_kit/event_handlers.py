"""Handlers of queues that hold events: one way to read a batch, whether it is handled whole or one by one."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog
from pydantic import ValidationError

from fleet_contracts.events import FleetEvent, OwnedEvent, UnknownEventType, parse_event
from fleet_kit.availability import UNAVAILABLE_ERRORS, is_unavailable
from fleet_kit.consumer import DependencyUnavailable, Failure, Handler
from fleet_kit.failure_router import Delivery, RejectNow, RetryLater
from fleet_kit.request_id import HEADER, set_request_id

log = structlog.get_logger(__name__)


def on_event_batch(handle: Callable[[list[FleetEvent]], Awaitable[None]]) -> Handler:
    """A handler that gets the events of a batch at once; what is not an event is rejected."""

    async def handler(deliveries: list[Delivery]) -> list[Failure]:
        events, failures = _read_events(deliveries)
        await handle([event for _, event in events])
        return failures

    return handler


def on_each_event(handle: Callable[[FleetEvent], Awaitable[None]]) -> Handler:
    """A handler that gets events one by one and may raise RetryLater or RejectNow for one of them."""

    async def handler(deliveries: list[Delivery]) -> list[Failure]:
        events, failures = _read_events(deliveries)
        for delivery, event in events:
            set_request_id(str(delivery.headers.get(HEADER.lower(), "")))
            try:
                await handle(event)
            except (RetryLater, RejectNow) as error:
                failures.append(Failure(delivery, error))
        return failures

    return handler


def _read_events(deliveries: Iterable[Delivery]) -> tuple[list[tuple[Delivery, FleetEvent]], list[Failure]]:
    """The events of a batch, and what is not one. Unknown types are skipped: contracts grow."""
    events, failures = [], []
    for delivery in deliveries:
        try:
            event = parse_event(delivery.body)
        except UnknownEventType as unknown:
            log.info("event skipped", reason=str(unknown))
        except ValidationError as error:
            failures.append(_invalid(delivery, error))
        else:
            if isinstance(event, OwnedEvent) and event.organizationid is None:
                failures.append(_invalid(delivery, "organizationid is missing"))
            else:
                events.append((delivery, event))
    return events, failures


def _invalid(delivery: Delivery, problem: object) -> Failure:
    return Failure(delivery, RejectNow(f"not a valid event: {problem}"[:300]))


@contextmanager
def hold_while_unavailable() -> Iterator[None]:
    """Raise DependencyUnavailable where the block fails because Postgres does not answer.

    The consumer then holds the batch and tries it again.
    """
    try:
        yield
    except UNAVAILABLE_ERRORS as error:
        if not is_unavailable(error):
            raise
        raise DependencyUnavailable(f"Postgres is unavailable: {error!r}"[:300]) from error

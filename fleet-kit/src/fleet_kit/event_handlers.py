"""Handlers of queues that hold events: reading a batch once, the same way in every service."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog
from pydantic import ValidationError

from fleet_contracts.events import FleetEvent, UnknownEventType, parse_event
from fleet_kit.away import AWAY, is_away
from fleet_kit.consumer import Failure, Handler, Pause
from fleet_kit.delivery import Delivery, RejectNow, RetryLater
from fleet_kit.request_id import HEADER, set_request_id

log = structlog.get_logger(__name__)
_OWNED = frozenset({"device", "telemetry", "sim", "alert"})
"""Kinds of event that say nothing without the organisation they are about."""


def read_events(deliveries: Iterable[Delivery]) -> tuple[list[tuple[Delivery, FleetEvent]], list[Failure]]:
    """The events of a batch, and what is not one.

    Types that this service does not know are skipped: contracts grow. Events of devices, telemetry, SIMs and
    alerts have an `owner`.
    """
    events, failures = [], []
    for delivery in deliveries:
        try:
            event = parse_event(delivery.body)
        except UnknownEventType as unknown:
            log.info("event skipped", reason=str(unknown))
        except ValidationError as error:
            failures.append(Failure(delivery, RejectNow(f"not a valid event: {error}"[:300])))
        else:
            if event.organizationid is None and event.type.split(".")[0] in _OWNED:
                failures.append(Failure(delivery, RejectNow("not a valid event: organizationid is missing")))
            else:
                events.append((delivery, event))
    return events, failures


def each_event(handle: Callable[[FleetEvent], Awaitable[None]]) -> Handler:
    """A handler of batches from a handler of single events."""

    async def handler(deliveries: list[Delivery]) -> list[Failure]:
        events, failures = read_events(deliveries)
        for delivery, event in events:
            set_request_id(str(delivery.headers.get(HEADER.lower(), "")))
            try:
                await handle(event)
            except (RetryLater, RejectNow) as error:
                failures.append(Failure(delivery, error))
        return failures

    return handler


@contextmanager
def pausing_while_away() -> Iterator[None]:
    """Raise Pause when the block fails because Postgres is away, so that its batch is tried again."""
    try:
        yield
    except AWAY as error:
        if not is_away(error):
            raise
        raise Pause(f"Postgres is away: {error!r}"[:300]) from error

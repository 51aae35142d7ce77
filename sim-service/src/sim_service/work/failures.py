"""Working on many things one by one, so that one that fails does not keep the others from being done."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import DBAPIError

from fleet_kit.availability import is_unavailable
from fleet_kit.errors import Conflict, FleetError, NotFound
from sim_service.carrier.errors import CarrierBadAnswer

log = structlog.get_logger(__name__)

SKIPPABLE_ERRORS: tuple[type[FleetError], ...] = (NotFound, Conflict, CarrierBadAnswer)
"""Failures that may concern one SIM alone: gone, released meanwhile, refused, or an unreadable answer.

A job counts such a SIM and continues with the next.
"""


def failure_counter(error: FleetError) -> str:
    """The counter in the job's result that counts such a failure."""
    return "not_found" if isinstance(error, NotFound) else "failed"


@contextmanager
def isolate_failure(doing: str, **names: object) -> Iterator[None]:
    """Log and skip a failure of this one item; raise what would fail for the other items too."""
    try:
        yield
    except SKIPPABLE_ERRORS as error:
        log.warning("skipped", doing=doing, error=error.code, **names)
    except DBAPIError as error:
        if is_unavailable(error):
            raise
        log.warning("skipped", doing=doing, exc_info=error, **names)

"""Doing many things one by one, so that what spoils one of them does not keep the others from being done."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import DBAPIError

from fleet_kit.away import is_away
from sim_service.jobs.passing import PASSED_OVER

log = structlog.get_logger(__name__)


@contextmanager
def apart(doing: str, **names: object) -> Iterator[None]:
    """Log what spoils this one and go on behind it; what would spoil the others too is raised."""
    try:
        yield
    except PASSED_OVER as error:
        log.warning("passed over", doing=doing, error=error.code, **names)
    except DBAPIError as error:
        if is_away(error):
            raise
        log.warning("passed over", doing=doing, exc_info=error, **names)

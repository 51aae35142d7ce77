"""Doing many things one by one, so that what spoils one of them does not keep the others from being done."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import DBAPIError

from fleet_kit.away import is_away
from fleet_kit.errors import FleetError
from sim_service.carrier.errors import (
    CarrierCredentialsRejected,
    CarrierOperationUnavailable,
    CarrierRateLimited,
    CarrierUnavailable,
)

log = structlog.get_logger(__name__)

_FOR_ALL = (
    CarrierUnavailable,
    CarrierRateLimited,
    CarrierCredentialsRejected,
    CarrierOperationUnavailable,
)
"""Failures that the others would meet as well."""


@contextmanager
def apart(doing: str, **names: object) -> Iterator[None]:
    """Log what spoils this one and go on behind it; what would spoil the others too is raised."""
    try:
        yield
    except (FleetError, DBAPIError) as error:
        if isinstance(error, _FOR_ALL) or is_away(error):
            raise
        code = error.code if isinstance(error, FleetError) else type(error).__name__
        unexpected = None if isinstance(error, FleetError) else error
        log.warning("passed over", doing=doing, error=code, exc_info=unexpected, **names)

"""What a job over many SIMs makes of one that fails."""

from fleet_kit.errors import Conflict, FleetError, NotFound
from sim_service.carrier.errors import CarrierBadAnswer

PASSED_OVER: tuple[type[FleetError], ...] = (NotFound, Conflict, CarrierBadAnswer)
"""Failures that may be one SIM's alone: gone, released meanwhile, refused, or told of unreadably.

The job counts such a SIM and goes on to the next.
"""


def outcome(error: FleetError) -> str:
    """The counter of such a failure in the job's result."""
    return "not_found" if isinstance(error, NotFound) else "failed"

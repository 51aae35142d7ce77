"""How a carrier can fail, as errors that already know their code and HTTP status."""

from typing import ClassVar

from fleet_kit.errors import BadGateway, Conflict, FleetError, NotFound, Unavailable


class CarrierUnavailable(Unavailable):
    """No usable answer in time: network, time-out, 5xx, or the breaker is open."""

    default_code = "CARRIER_UNAVAILABLE"


class CarrierRateLimited(Unavailable):
    """The request would have to wait for a slot longer than its caller can."""

    default_code = "CARRIER_RATE_LIMITED"


class CarrierCredentialsRejected(Unavailable):
    """The carrier does not accept our credentials; only an operator can change that."""

    default_code = "CARRIER_CREDENTIALS_REJECTED"


class CarrierBadAnswer(BadGateway):
    """The carrier answered with something that cannot be read: truncated, too large, of another shape."""

    default_code = "CARRIER_BAD_ANSWER"


class CarrierSimNotFound(NotFound):
    default_code = "SIM_NOT_FOUND"


class CarrierRejected(Conflict):
    """The carrier understood and refused; `details` carry its own words."""

    default_code = "CARRIER_REJECTED"


class CarrierForbidden(CarrierRejected):
    """The carrier knows it and does not let us touch it; of a SIM: it is in another account."""

    default_code = "CARRIER_FORBIDDEN"


class CarrierOperationUnavailable(FleetError):
    """The carrier has no such operation (any more) in the API versions that are switched on."""

    status: ClassVar[int] = 501
    default_code = "CARRIER_OPERATION_UNAVAILABLE"


class CarrierOutcomeUnknown(Unavailable):
    """A request that must not be repeated was sent and its answer lost: check before trying again."""

    default_code = "CARRIER_OUTCOME_UNKNOWN"


CARRIER_UNAVAILABLE_ERRORS = (
    CarrierUnavailable,
    CarrierRateLimited,
    CarrierCredentialsRejected,
    CarrierBadAnswer,
)
"""Failures that say nothing about the SIM: what is known stays valid and may be shown with its age."""

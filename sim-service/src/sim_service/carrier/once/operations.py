"""Every operation of the 1NCE Management API that we use, with the API versions that have it, best first.

v2 is preferred: v1 retires at the end of 2026. What exists only in v1 stays there until 1NCE offers more.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sim_service.carrier.errors import CarrierOperationUnavailable

V1, V2 = "v1", "v2"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `repeatable`: sending it twice does no harm, so it may be retried after any failure."""

    name: str
    method: str
    path: str
    versions: tuple[str, ...]
    repeatable: bool = True

    def version(self, switched_on: Collection[str]) -> str:
        """The best version that is switched on; raises CarrierOperationUnavailable if there is none."""
        for version in self.versions:
            if version in switched_on:
                return version
        raise unavailable(self)


def unavailable(operation: Operation) -> CarrierOperationUnavailable:
    """The error for an operation that the carrier does not offer (any more)."""
    return CarrierOperationUnavailable(
        f"the carrier does not offer {operation.name!r} in the API versions in use",
        details={"operation": operation.name, "versions": list(operation.versions)},
    )


LIST_SIMS = Operation("list_sims", "GET", "/sims", (V2, V1))
GET_SIM = Operation("get_sim", "GET", "/sims/{iccid}", (V2, V1))
DATA_QUOTA = Operation("data_quota", "GET", "/sims/{iccid}/quota/data", (V2, V1))
SMS_QUOTA = Operation("sms_quota", "GET", "/sims/{iccid}/quota/sms", (V2, V1))
USAGE = Operation("usage", "GET", "/sims/{iccid}/usage", (V1,))

OPERATIONS = (LIST_SIMS, GET_SIM, DATA_QUOTA, SMS_QUOTA, USAGE)

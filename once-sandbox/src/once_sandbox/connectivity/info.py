"""v1's connectivity_info: the cell of a device on 2G or 3G."""

from once_sandbox.connectivity.models import OFFLINE, Connection
from once_sandbox.connectivity.operators import OLD_RATS, OPERATORS
from once_sandbox.sims.models import Sim
from once_sandbox.wire import Json, offset, present


def connectivity_info(sim: Sim, connection: Connection, now: float, *, subscriber: bool, ussd: bool) -> Json:
    """What the visited network answers when it is asked about the device."""
    reachable = connection.state != OFFLINE and not connection.vanished and connection.rat in OLD_RATS
    return present(
        ussd_info=_ussd(reachable=reachable) if ussd else None,
        subscriber_info=_subscriber(sim, connection, now, reachable=reachable) if subscriber else None,
        request_timestamp=offset(now),
        reply_timestamp=offset(now + 0.142),
    )


def _ussd(*, reachable: bool) -> Json:
    return {"success": True} if reachable else {"success": False, "error": "Request Timeout Error"}


def _subscriber(sim: Sim, connection: Connection, now: float, *, reachable: bool) -> Json:
    if not reachable:
        return {"success": False, "state": "not_provided_from_vlr"}
    operator = OPERATORS[connection.operator]
    cell = {
        "cid": 1 + sim.index % 65_000,
        "lac": 10_000 + sim.index % 50_000,
        "mcc": operator.mcc,
        "mnc": operator.mnc,
    }
    location = {
        "current_location_retrieved": connection.session is not None,
        "age_of_location": int((now - connection.updated_at) / 60),
        "cell_global_id": cell,
    }
    state = "assumed_idle" if connection.session is None else "cam_busy"
    return {"success": True, "state": state, "location": location}

"""A SIM's connectivity status in both versions."""

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.connectivity.models import OFFLINE, Connection
from once_sandbox.connectivity.places import context_v1, context_v2, location_v1, location_v2
from once_sandbox.sims.models import Sim
from once_sandbox.wire import Json, present


def _services(connection: Connection) -> list[str]:
    return [] if connection.state == OFFLINE else ["GPRS", "SMS"]


def status_v1(sim: Sim, connection: Connection, now: float, behaviours: Behaviours) -> Json:
    """v1: the state is a word, there is one PDP context at most."""
    session = connection.session
    seen = connection.state != OFFLINE
    return present(
        status=OFFLINE if connection.blocked else connection.state,
        location=location_v1(sim, connection, behaviours) if seen else None,
        pdp_context=context_v1(sim, connection, session, now) if session else None,
        services=_services(connection),
    )


def status_v2(sim: Sim, connection: Connection, *, limited: bool) -> Json:
    """v2: the state is an object and can be BLOCKED; PDP contexts are an array."""
    session = connection.session
    seen = connection.state != OFFLINE
    return present(
        status={"description": "BLOCKED" if connection.blocked else connection.state},
        data_traffic_limit_state={"description": "REACHED" if limited else "NOT_REACHED"},
        location=location_v2(sim, connection) if seen else None,
        pdp_contexts=[context_v2(sim, connection, session)] if session else None,
        services=_services(connection),
    )

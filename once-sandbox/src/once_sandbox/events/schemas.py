"""Events as v1 lists them, as v2 lists them, and as the data streamer delivers them."""

from once_sandbox.connectivity.operators import OPERATORS, Operator
from once_sandbox.events.models import SEVERITIES, SOURCES, TYPES, Event
from once_sandbox.sims import identity
from once_sandbox.sims.models import ORGANISATION, Sim
from once_sandbox.wire import Json, offset, present, zulu

ORGANISATION_NAME = "Sandbox"


def event_v1(sim: Sim, event: Event) -> Json:
    """v1: flat, in words."""
    operator = None if event.operator is None else OPERATORS[event.operator]
    return present(
        timestamp=offset(event.at),
        event_type=event.description,
        iccid=sim.iccid,
        imei=sim.imei,
        imsi=sim.imsi,
        country=operator and operator.country,
        operator=operator and operator.name,
        mcc=operator and operator.mcc,
        mnc=operator and operator.mnc,
        alert=event.alert,
        event_severity=SEVERITIES[event.severity].capitalize(),
    )


def event_v2(sim: Sim, event: Event) -> Json:
    """v2: nested, without what has no value."""
    text, _, source = TYPES[event.type_id]
    return present(
        id=event.id,
        event_type={"id": event.type_id, "description": text},
        timestamp=zulu(event.at),
        alert=event.alert,
        description=event.description,
        event_source={"id": source, "description": SOURCES[source]},
        event_severity={"id": event.severity, "description": SEVERITIES[event.severity]},
        organisation={"id": ORGANISATION, "name": ORGANISATION_NAME},
        endpoint=endpoint(sim),
        sim=sim_reference(sim),
        imsi={"id": identity.imsi_id(sim.index), "imsi": sim.imsi},
        detail=event.detail,
    )


def event_record(sim: Sim, event: Event) -> Json:
    """The data streamer's form: v2's, with null for what has no value."""
    return event_v2(sim, event) | {"detail": event.detail}


def endpoint(sim: Sim) -> Json:
    """The endpoint that holds the SIM."""
    return present(
        id=identity.endpoint_id(sim.index), name=sim.iccid, ip_address=sim.ip_address, imei=sim.imei
    )


def sim_reference(sim: Sim) -> Json:
    """The SIM inside another object."""
    return {"id": identity.sim_id(sim.index), "iccid": sim.iccid, "msisdn": sim.msisdn}


def network(operator: Operator) -> Json:
    """v2's detail of an event at a network."""
    country = {
        "id": operator.country_id,
        "name": operator.country,
        "country_code": operator.prefix,
        "mcc": operator.mcc,
        "iso_code": operator.iso_code,
    }
    return {"id": operator.id, "name": operator.name, "country": country}

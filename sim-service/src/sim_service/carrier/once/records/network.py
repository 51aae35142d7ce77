"""Connectivity of v1 (words, one context) and v2 (objects, an array of contexts), and the cell."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sim_service.carrier.facts import CarrierConnectivity, CellInfo, DataSession, NetworkState
from sim_service.carrier.once import values

_STATES = {
    "OFFLINE": NetworkState.OFFLINE,
    "ATTACHED": NetworkState.ATTACHED,
    "ONLINE": NetworkState.ONLINE,
    "BLOCKED": NetworkState.BLOCKED,
}
_LIMIT_STATES = {"REACHED": True, "NOT_REACHED": False}
_OLDEST_LOCATION_MINUTES = 100 * 24 * 60

Record = Mapping[str, Any]


def connectivity(record: Any) -> CarrierConnectivity | None:
    """The status of a SIM; None where it has none."""
    if not isinstance(record, Mapping):
        return None
    state = values.text(record, "status") or values.text(values.nested(record, "status"), "description")
    if state is None:
        return None
    location = values.nested(record, "location")
    operator = values.nested(location, "operator")
    country = {**values.nested(operator, "country"), **values.nested(location, "country")}
    context = _context(record)
    limit = values.text(values.nested(record, "data_traffic_limit_state"), "description")
    return CarrierConnectivity(
        state=_STATES.get(state.upper(), NetworkState.UNKNOWN),
        operator=values.text(operator, "name"),
        operator_id=values.text(operator, "id", longest=20)
        or values.text(location, "operator_id", longest=20),
        country=_iso(country),
        country_name=values.text(country, "name"),
        mcc=values.text(country, "mcc", longest=3) or values.text(context, "mcc", longest=3),
        mnc=values.text(operator, "mnc", longest=3) or values.text(context, "mnc", longest=3),
        last_updated_at=values.moment(location, "last_updated")
        or values.moment(location, "last_updated_gprs"),
        limit_reached=_LIMIT_STATES.get(limit or ""),
        services=_services(record),
        session=_session(context),
    )


def _context(record: Record) -> Record:
    contexts = record.get("pdp_contexts")
    if isinstance(contexts, list):
        return next((context for context in contexts if isinstance(context, Mapping)), {})
    return values.nested(record, "pdp_context")


def _session(context: Record) -> DataSession | None:
    if not context:
        return None
    return DataSession(
        opened_at=values.moment(context, "created"),
        ip_address=values.text(context, "ue_ip_address", longest=45),
        apn=values.text(context, "apn"),
        rat=values.text(values.nested(context, "rat_type"), "description", longest=40),
        imei=values.text(context, "imeisv", longest=20),
    )


def _iso(country: Record) -> str | None:
    code = values.text(country, "iso_code") or values.text(country, "iso-code")
    return code.upper() if code is not None and len(code) == 2 and code.isalpha() else None


def _services(record: Record) -> tuple[str, ...]:
    services = record.get("services")
    if not isinstance(services, list):
        return ()
    return tuple(service[:40] for service in services[:20] if isinstance(service, str))


def cell(record: Any) -> CellInfo | None:
    """The answer of the visited network; its location has an age in minutes."""
    if not isinstance(record, Mapping):
        return None
    subscriber = values.nested(record, "subscriber_info")
    location = values.nested(subscriber, "location")
    cell_id = values.nested(location, "cell_global_id")
    age = values.whole(location, "age_of_location")
    answered = values.moment(record, "reply_timestamp")
    located = None
    if answered is not None and age is not None and 0 <= age <= _OLDEST_LOCATION_MINUTES:
        located = answered - timedelta(minutes=age)
    return CellInfo(
        reachable=values.flag(subscriber, "success"),
        mcc=values.text(cell_id, "mcc", longest=3),
        mnc=values.text(cell_id, "mnc", longest=3),
        lac=values.text(cell_id, "lac", longest=20),
        cell_id=values.text(cell_id, "cid", longest=20),
        located_at=located,
    )

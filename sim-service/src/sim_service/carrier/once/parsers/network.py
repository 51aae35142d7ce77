"""Connectivity of v1 (words, one context) and v2 (objects, an array of contexts), and the cell."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sim_service.carrier.models import CarrierConnectivity, CellInfo, DataSession, NetworkState
from sim_service.carrier.once import fields
from sim_service.carrier.once.fields import Record

_LIMIT_STATES = {"REACHED": True, "NOT_REACHED": False}
_MAX_LOCATION_AGE_MINUTES = 100 * 24 * 60


def connectivity(record: Record) -> CarrierConnectivity | None:
    """The status of a SIM; None where it has none."""
    state = fields.text(record, "status") or fields.text(fields.nested(record, "status"), "description")
    if state is None:
        return None
    location = fields.nested(record, "location")
    operator = fields.nested(location, "operator")
    country = {**fields.nested(operator, "country"), **fields.nested(location, "country")}
    context = _context(record)
    limit = fields.text(fields.nested(record, "data_traffic_limit_state"), "description")
    return CarrierConnectivity(
        state=fields.choice(state, NetworkState, otherwise=NetworkState.UNKNOWN),
        operator=fields.text(operator, "name"),
        operator_id=fields.text(operator, "id", max_length=20)
        or fields.text(location, "operator_id", max_length=20),
        country=_iso(country),
        country_name=fields.text(country, "name"),
        mcc=fields.text(country, "mcc", max_length=3) or fields.text(context, "mcc", max_length=3),
        mnc=fields.text(operator, "mnc", max_length=3) or fields.text(context, "mnc", max_length=3),
        last_updated_at=fields.moment(location, "last_updated")
        or fields.moment(location, "last_updated_gprs"),
        limit_reached=_LIMIT_STATES.get(limit or ""),
        services=_services(record),
        session=_session(context),
    )


def _context(record: Record) -> Record:
    contexts = record.get("pdp_contexts")
    if isinstance(contexts, list):
        return next((context for context in contexts if isinstance(context, Mapping)), {})
    return fields.nested(record, "pdp_context")


def _session(context: Record) -> DataSession | None:
    if not context:
        return None
    return DataSession(
        opened_at=fields.moment(context, "created"),
        ip_address=fields.text(context, "ue_ip_address", max_length=45),
        apn=fields.text(context, "apn"),
        rat=fields.text(fields.nested(context, "rat_type"), "description", max_length=40),
        imei=fields.text(context, "imeisv", max_length=20),
    )


def _iso(country: Record) -> str | None:
    code = fields.text(country, "iso_code") or fields.text(country, "iso-code")
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
    subscriber = fields.nested(record, "subscriber_info")
    location = fields.nested(subscriber, "location")
    cell_id = fields.nested(location, "cell_global_id")
    age = fields.whole(location, "age_of_location")
    answered = fields.moment(record, "reply_timestamp")
    located = None
    if answered is not None and age is not None and 0 <= age <= _MAX_LOCATION_AGE_MINUTES:
        located = answered - timedelta(minutes=age)
    return CellInfo(
        reachable=fields.flag(subscriber, "success"),
        mcc=fields.text(cell_id, "mcc", max_length=3),
        mnc=fields.text(cell_id, "mnc", max_length=3),
        lac=fields.text(cell_id, "lac", max_length=20),
        cell_id=fields.text(cell_id, "cid", max_length=20),
        located_at=located,
    )

"""The network as each version of 1NCE's status writes it: location and PDP context."""

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.connectivity.models import Connection, Session
from once_sandbox.connectivity.operators import OPERATORS, RATS, Operator
from once_sandbox.sims import identity
from once_sandbox.sims.models import ORGANISATION, Sim
from once_sandbox.wire import Json, spaced, zulu

SGSN_ADDRESS = "12.23.107.88"
GGSN_ADDRESS = "12.23.107.90"


def _number(value: int, behaviours: Behaviours) -> int | str:
    return value if behaviours.operator_ids == "integer" else str(value)


def location_v1(sim: Sim, connection: Connection, behaviours: Behaviours) -> Json:
    """v1's location."""
    operator = OPERATORS[connection.operator]
    written = spaced if behaviours.dates == "recorded" else zulu
    return {
        "iccid": sim.iccid,
        "imsi": sim.imsi,
        "last_updated": written(connection.updated_at),
        "last_updated_gprs": written(connection.updated_at),
        "sgsn_number": f"{operator.prefix}1600300000",
        "vlr_number": f"{operator.prefix}1710000000",
        "vlr_number_np": "1",
        "msc_number_np": "1",
        "sgsn_number_np": "1",
        "msc": f"{operator.prefix}1710300000",
        "sgsn_ip_address": SGSN_ADDRESS,
        "operator_id": _number(operator.id, behaviours),
        "operator": _operator_v1(operator, behaviours),
        "country": _country_v1(operator, behaviours),
    }


def _operator_v1(operator: Operator, behaviours: Behaviours) -> Json:
    country = {"id": _number(operator.country_id, behaviours), "name": operator.country}
    country[behaviours.iso_code] = operator.iso_code
    return {"id": _number(operator.id, behaviours), "name": operator.name, "country": country}


def _country_v1(operator: Operator, behaviours: Behaviours) -> Json:
    return {
        "country_id": _number(operator.country_id, behaviours),
        "name": operator.country,
        "country_code": operator.prefix,
        "mcc": operator.mcc,
        behaviours.iso_code: operator.iso_code,
        "latitude": operator.latitude,
        "longitude": operator.longitude,
    }


def location_v2(sim: Sim, connection: Connection) -> Json:
    """v2's location."""
    operator = OPERATORS[connection.operator]
    country = {"id": operator.country_id, "name": operator.country, "iso_code": operator.iso_code}
    return {
        "iccid": sim.iccid,
        "imsi": sim.imsi,
        "last_updated": spaced(connection.updated_at),
        "sgsn_number": f"{operator.prefix}1600300000",
        "vlr_number": f"{operator.prefix}1710000000",
        "operator_id": str(operator.id),
        "msc": f"{operator.prefix}1710300000",
        "sgsn_ip_address": SGSN_ADDRESS,
        "operator": {"id": operator.id, "name": operator.name, "mnc": operator.mnc, "country": country},
        "country": {
            "country_id": str(operator.country_id),
            "name": operator.country,
            "country_code": operator.prefix,
            "mcc": operator.mcc,
            "iso_code": operator.iso_code,
        },
    }


def _context(sim: Sim, connection: Connection, session: Session) -> Json:
    """What both versions say of an open session."""
    operator = OPERATORS[connection.operator]
    rat_id, rat = RATS[connection.rat]
    return {
        "pdp_context_id": str(session.id),
        "endpoint_id": str(identity.endpoint_id(sim.index)),
        "tariff_id": "442",
        "ratezone_id": "2171",
        "organisation_id": str(ORGANISATION),
        "imsi_id": str(identity.imsi_id(sim.index)),
        "imsi": sim.imsi,
        "sim_id": str(identity.sim_id(sim.index)),
        "gtp_version": "1",
        "nsapi": "5",
        "sgsn_control_plane_ip_address": SGSN_ADDRESS,
        "sgsn_data_plane_ip_address": SGSN_ADDRESS,
        "ggsn_control_plane_ip_address": GGSN_ADDRESS,
        "ggsn_data_plane_ip_address": GGSN_ADDRESS,
        "created": zulu(session.opened_at),
        "mcc": operator.mcc,
        "mnc": operator.mnc,
        "operator_id": str(operator.id),
        "lac": str(10_000 + sim.index % 50_000),
        "ci": str(1 + sim.index % 65_000),
        "ue_ip_address": sim.ip_address,
        "imeisv": sim.imei or "0" * 16,
        "rat_type": {"rat_type_id": rat_id, "description": rat},
    }


def context_v1(sim: Sim, connection: Connection, session: Session, now: float) -> Json:
    """v1's single PDP context."""
    seconds = max(0, int(now - session.opened_at))
    return _context(sim, connection, session) | {
        "tariff_profile_id": "129700",
        "teid_data_plane": str(session.id % 1_000_000_000),
        "teid_control_plane": str(session.id % 1_000_000_000),
        "duration": f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}",
    }


def context_v2(sim: Sim, connection: Connection, session: Session) -> Json:
    """One of v2's PDP contexts."""
    context = _context(sim, connection, session)
    tunnel = str(session.id % 100_000)
    tunnels = (
        "tx_teid_data_plane",
        "tx_teid_control_plane",
        "rx_teid",
        "rx_teid_data_plane",
        "rx_teid_control_plane",
    )
    cell = {"lac": context["lac"], "ci": context["ci"], "sac": "7", "rac": "8"}
    return (
        context
        | dict.fromkeys(tunnels, tunnel)
        | cell
        | {"gtp_v1_uli": cell, "region": "eu-central-1", "apn": "iot.1nce.net", "ipcan_session_id": tunnel}
    )

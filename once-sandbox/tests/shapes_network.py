"""The shapes of what the network tells: status, connectivity info, events."""

from .schema import (
    FLAG,
    ICCID,
    IMEISV,
    IMSI,
    IPV4,
    MOMENT,
    SECOND,
    TEXT,
    WHOLE,
    each,
    named,
    one_of,
    record,
    texts,
)

_RAT = record(rat_type_id=TEXT, description=TEXT)
_PLANES = [f"{node}_{plane}_plane_ip_address" for node in ("sgsn", "ggsn") for plane in ("control", "data")]
_IDS = [
    f"{name}_id" for name in ("pdp_context", "endpoint", "tariff", "ratezone", "organisation", "imsi", "sim")
]
_CONTEXT_TEXTS = [
    *_IDS,
    *_PLANES,
    "gtp_version",
    "nsapi",
    "mcc",
    "mnc",
    "operator_id",
    "lac",
    "ci",
    "ue_ip_address",
]
_CONTEXT = texts(*_CONTEXT_TEXTS) | {"imsi": IMSI, "imeisv": IMEISV, "created": MOMENT, "rat_type": _RAT}
_CONTEXT_V1 = record(
    **_CONTEXT,
    **texts("tariff_profile_id", "teid_data_plane", "teid_control_plane"),
    duration={"type": "string", "pattern": r"^\d{2,}:\d\d:\d\d$"},
)
_CELL = texts("lac", "ci", "sac", "rac")
_CONTEXT_V2 = record(
    **_CONTEXT,
    **texts("sac", "rac", "region", "apn", "ipcan_session_id", "rx_teid"),
    **texts("tx_teid_data_plane", "tx_teid_control_plane", "rx_teid_data_plane", "rx_teid_control_plane"),
    gtp_v1_uli=record(**_CELL),
)
_PLACE_TEXTS = texts("sgsn_number", "vlr_number", "operator_id", "msc", "sgsn_ip_address")
_LOCATION_V1 = record(
    iccid=ICCID,
    imsi=IMSI,
    last_updated=MOMENT,
    last_updated_gprs=MOMENT,
    **_PLACE_TEXTS,
    **texts("vlr_number_np", "msc_number_np", "sgsn_number_np"),
    operator=record(**texts("id", "name"), country=record(**texts("id", "name", "iso-code"))),
    country=record(**texts("country_id", "name", "country_code", "mcc", "iso-code", "latitude", "longitude")),
)
_LOCATION_V2 = record(
    iccid=ICCID,
    imsi=IMSI,
    last_updated=SECOND,
    **_PLACE_TEXTS,
    operator=record(id=WHOLE, name=TEXT, mnc=TEXT, country=record(id=WHOLE, **texts("name", "iso_code"))),
    country=record(**texts("country_id", "name", "country_code", "mcc", "iso_code")),
)
STATUS_V1 = record(
    {"location": _LOCATION_V1, "pdp_context": _CONTEXT_V1},
    status=one_of("OFFLINE", "ONLINE", "ATTACHED"),
    services=each(TEXT),
)
STATUS_V2 = record(
    {"location": _LOCATION_V2, "pdp_contexts": each(_CONTEXT_V2)},
    status=record(description=one_of("OFFLINE", "ONLINE", "ATTACHED", "BLOCKED")),
    data_traffic_limit_state=record(description=one_of("REACHED", "NOT_REACHED")),
    services=each(TEXT),
)
_CELL_ID = record(cid=WHOLE, lac=WHOLE, mcc=TEXT, mnc=TEXT)
INFO = record(
    {
        "ussd_info": record({"error": TEXT}, success=FLAG),
        "subscriber_info": record(
            {
                "location": record(
                    current_location_retrieved=FLAG, age_of_location=WHOLE, cell_global_id=_CELL_ID
                )
            },
            success=FLAG,
            state=TEXT,
        ),
    },
    request_timestamp=MOMENT,
    reply_timestamp=MOMENT,
)

EVENTS_V1 = record(
    events=each(
        record(
            texts("imei", "country", "operator", "mcc", "mnc"),
            timestamp=MOMENT,
            event_type=TEXT,
            iccid=ICCID,
            imsi=IMSI,
            alert=FLAG,
            event_severity=one_of("Info", "Warn", "Critical"),
        )
    ),
    totalEvents=WHOLE,
    totalPages=WHOLE,
)
EVENT_V2 = record(
    {"detail": {"type": "object"}},
    id=WHOLE,
    event_type=named(),
    timestamp=MOMENT,
    alert=FLAG,
    description=TEXT,
    event_source=named(),
    event_severity=named(id=one_of(0, 1, 2)),
    organisation=record(id=WHOLE, name=TEXT),
    endpoint=record({"imei": IMEISV}, id=WHOLE, name=ICCID, ip_address=IPV4),
    sim=record(id=WHOLE, iccid=ICCID, msisdn=TEXT),
    imsi=record(id=WHOLE, imsi=IMSI),
)

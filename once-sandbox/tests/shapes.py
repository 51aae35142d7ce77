"""The shapes of 1NCE's answers, as compact JSON Schemas: what must be there, what may, and of which type."""

from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+0000)$"}
SECOND: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}
DECIMAL: Schema = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
ICCID: Schema = {"type": "string", "pattern": r"^\d{19}$"}
IMSI: Schema = {"type": "string", "pattern": r"^\d{15}$"}
IMEISV: Schema = {"type": "string", "pattern": r"^\d{16}$"}
IPV4: Schema = {"type": "string", "pattern": r"^\d+(\.\d+){3}$"}


def one_of(*values: object) -> Schema:
    return {"enum": list(values)}


def each(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def record(optional: dict[str, Schema] | None = None, /, **needed: Schema) -> Schema:
    """An object with exactly these fields; none of them may be null."""
    return {
        "type": "object",
        "properties": needed | (optional or {}),
        "required": list(needed),
        "additionalProperties": False,
    }


def texts(*names: str) -> dict[str, Schema]:
    return dict.fromkeys(names, TEXT)


def named(**ids: Schema) -> Schema:
    return record(id=ids.get("id", WHOLE), description=TEXT)


QUOTA_STATUS = record(
    {"threshold_reached_date": MOMENT, "quota_exceeded_date": MOMENT}, id=one_of(0, 1, 2), description=TEXT
)
SIM = record(
    {"imsi_2": IMSI, "current_imsi": IMSI, "imei": IMEISV, "label": TEXT},
    iccid=ICCID,
    iccid_with_luhn={"type": "string", "pattern": r"^\d{20}$"},
    imsi=IMSI,
    msisdn={"type": "string", "pattern": r"^\d{12,15}$"},
    imei_lock=FLAG,
    status=one_of("Enabled", "Disabled"),
    activation_date=MOMENT,
    ip_address=IPV4,
    current_quota=NUMBER,
    quota_status=QUOTA_STATUS,
    current_quota_SMS=NUMBER,
    quota_status_SMS=QUOTA_STATUS,
)

_CURRENCY = record(id=WHOLE, symbol=TEXT, code=TEXT)
_TRAFFIC_TYPE = record(id=WHOLE, description=TEXT, unit=TEXT)
_AMOUNTS = {"volume": DECIMAL, "volume_rx": DECIMAL, "volume_tx": DECIMAL, "cost": DECIMAL}
_TRAFFIC = record(currency=_CURRENCY, traffic_type=_TRAFFIC_TYPE, **_AMOUNTS)
USAGE = record(stats=each(record(date={"anyOf": [MOMENT, one_of("TOTAL")]}, data=_TRAFFIC, sms=_TRAFFIC)))

QUOTA_V1 = record(
    {"peak_throughput": WHOLE},
    volume=NUMBER,
    total_volume=NUMBER,
    expiry_date=MOMENT,
    last_volume_added=NUMBER,
    last_status_change_date=MOMENT,
    threshold_percentage=WHOLE,
)
QUOTA_V2 = record(
    id=WHOLE,
    status=record(id=one_of(0, 1, 2), description=one_of("EXHAUSTED", "ACTIVE", "EXPIRED")),
    volume=NUMBER,
    total_volume=NUMBER,
    accumulated_total_volume=NUMBER,
    last_volume_added=NUMBER,
    service=one_of("data", "sms"),
    threshold_percentage=WHOLE,
    threshold_volume=NUMBER,
    expiry_date=MOMENT,
    created_at=MOMENT,
)

_RAT = record(rat_type_id=TEXT, description=TEXT)
_CONTEXT_TEXTS = [
    "pdp_context_id",
    "endpoint_id",
    "tariff_id",
    "ratezone_id",
    "organisation_id",
    "imsi_id",
    "sim_id",
    "gtp_version",
    "nsapi",
    "sgsn_control_plane_ip_address",
    "sgsn_data_plane_ip_address",
    "ggsn_control_plane_ip_address",
    "ggsn_data_plane_ip_address",
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

_SMS_MOMENTS = dict.fromkeys(("delivery_date", "final_date", "retry_date", "last_delivery_attempt"), MOMENT)
_SMS_COMMON: dict[str, Schema] = {
    "id": WHOLE,
    "submit_date": MOMENT,
    "expiry_date": MOMENT,
    "source_address": TEXT,
    "iccid": ICCID,
    "msisdn": TEXT,
    "imsi": IMSI,
    "dcs": one_of(0, 4, 8),
    "payload": {"type": "string"},
    "sms_type": record(id=one_of(1, 2), description=one_of("MT", "MO")),
}
SMS_V1 = record(
    _SMS_MOMENTS | {"udh": TEXT},
    **_SMS_COMMON,
    retry_count=DECIMAL,
    msc=TEXT,
    status=named(id=one_of(2, 3, 4, 5, 6)),
    source_address_type=record(id=one_of(145, 161, 208)),
)
SMS_V2 = record(
    _SMS_MOMENTS | {"udh": TEXT},
    **_SMS_COMMON,
    retry_count=WHOLE,
    msc=WHOLE,
    pid=WHOLE,
    sim_id=WHOLE,
    endpoint=record(id=WHOLE, name=TEXT),
    status=named(id=one_of(2, 4, 5, 6)),
    source_address_type=named(id=one_of(145, 161, 208)),
)

_LINK = record(rel=TEXT, href=TEXT)
ORDER = record(
    {
        "invoice_number": TEXT,
        "shipping_address": {"type": "object"},
        "sims": each(record(iccid=ICCID, _links=each(_LINK))),
        "products": each(record(product_id=WHOLE, quantity=WHOLE)),
    },
    order_number=WHOLE,
    order_type=one_of("FIRST_ORDER", "ADDITIONAL_ORDER", "TOPUP", "BULK_TOPUP", "TARIFF_CHANGE"),
    order_date=MOMENT,
    order_status=TEXT,
    invoice_amount=DECIMAL,
    currency=one_of("EUR"),
)
_CHARGE = record(name=TEXT, amount_net=NUMBER, currency=TEXT)
PRODUCT = record(
    {"maxQuantity": WHOLE},
    id=WHOLE,
    product=TEXT,
    material=TEXT,
    package_size=WHOLE,
    minQuantity=WHOLE,
    min_contract_duration=WHOLE,
    one_time_charges=each(_CHARGE),
    recurring_charges=each(_CHARGE),
)
_LIMIT = record(id=WHOLE, limit=DECIMAL, unit=one_of("MB", "SMS"))
LIMITS = record({"data": _LIMIT, "smsMt": _LIMIT, "smsMo": _LIMIT})
SELECTABLE = record({"data": _LIMIT, "smsMt": _LIMIT, "smsMo": _LIMIT}, limits=each(_LIMIT))
TICKET = record(
    {"solvedDate": MOMENT},
    caseId=TEXT,
    subject=TEXT,
    text=TEXT,
    status=one_of("OPEN", "IN_PROGRESS", "CLOSED"),
    createDate=MOMENT,
    communications=each(
        record(
            id=TEXT,
            communicationDate=MOMENT,
            direction=one_of("IN", "OUT"),
            originator=TEXT,
            subject=TEXT,
            text=TEXT,
            type=one_of("PORTAL", "PHONE_IN", "PHONE_OUT", "MAIL_IN", "MAIL_OUT"),
        )
    ),
)

ERROR_V1 = record(
    timestamp=MOMENT, status=WHOLE, error=TEXT, message=TEXT, path={"type": "string", "pattern": "^/v1/"}
)
ERROR_V2 = record(error_code=WHOLE, error_token=TEXT, message=TEXT)


def check(instance: object, shape: Schema) -> None:
    """Raise on the first difference, naming its place."""
    Draft202012Validator(shape).validate(instance)

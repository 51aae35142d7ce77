"""The shapes of 1NCE's answers: what must be there, what may, and of which type."""

from .schema import (
    DECIMAL,
    FLAG,
    ICCID,
    IMEISV,
    IMSI,
    IPV4,
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    Schema,
    each,
    named,
    one_of,
    record,
)

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

"""Events: v1's flat words, v2's and the streamer's nested objects, and the streamer's flat form of these.

What an event is follows from the id of its type; v1, which gives none, is read by its words.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from fleet_kit.json_object import encode_json
from sim_service.carrier.models import CarrierEvent
from sim_service.carrier.once import fields
from sim_service.carrier.once.fields import Record
from sim_service.platform.iccid import normalize

_TYPES = {
    1: ("location_updated", "update location"),
    2: ("data_location_updated", "update gprs location"),
    3: ("session_opened", "create pdp context"),
    4: ("session_updated", "update pdp context"),
    5: ("session_closed", "delete pdp context"),
    8: ("sim_enabled", "sim activation"),
    9: ("sim_disabled", "sim suspension"),
    11: ("blocked", "endpoint blocked"),
    15: ("location_purged", "purge location"),
    16: ("data_location_purged", "purge gprs location"),
    18: ("data_quota_low", "data quota threshold reached"),
    19: ("data_quota_exhausted", "data quota used up"),
    20: ("sms_quota_low", "sms quota threshold reached"),
    21: ("sms_quota_exhausted", "sms quota used up"),
    50: ("sim_released", "sim released"),
    51: ("sim_assigned", "sim assigned"),
    60: ("data_quota_expired", "data quota expired"),
}
_IDS_BY_WORDS = {words: number for number, (_, words) in _TYPES.items()}
_CHANGES = {"to 'activated'": 8, "to 'suspended'": 9}
_CREATE_PDP = 3
_CAUSES = (
    "IMSI_NOT_FOUND",
    "APN_NOT_AUTHORIZED",
    "PDN_NOT_SUPPORTED",
    "IMEI_LOCK_BREACHED",
    "NO_QUOTA_FOUND",
    "QUOTA_EXPIRED",
    "QUOTA_EXHAUSTED",
    "MONTHLY_USAGE_LIMIT_EXCEEDED",
    "DATA_SERVICE_BARRED",
    "IMEI_LOCK_ENFORCED",
    "INACTIVITY_TIMER_EXPIRED",
)
_MAX_DETAIL_BYTES = 16_384


def event(record: Any, iccid: str = "") -> CarrierEvent | None:
    """An event; None without a moment or a SIM. `iccid`: whose it is where the record does not say."""
    if not isinstance(record, Mapping):
        return None
    about = _iccid(record) or iccid
    at = fields.moment(record, "timestamp")
    if at is None or not about:
        return None
    detail = _detail(record)
    words = fields.text(record, "event_type") or fields.text(record, "description", max_length=1000) or ""
    cause = fields.text(detail, "data_service_failure_cause", max_length=60) or _cause_in(words)
    type_id = _type_id(record, words)
    country = fields.nested(detail, "country")
    return CarrierEvent(
        id=fields.text(record, "id", max_length=64) or _made_id(record, about),
        iccid=about,
        at=at,
        type=_type(type_id, cause),
        type_id=type_id,
        severity=_severity(record),
        description=(fields.text(record, "description", max_length=1000) or words)[:1000],
        cause=cause or fields.text(detail, "update_location_failure_reason", max_length=60),
        operator=fields.text(record, "operator") or (fields.text(detail, "name") if country else None),
        country=fields.text(record, "country") or fields.text(country, "name"),
        imsi=fields.text(_part(record, "imsi"), "imsi", max_length=20)
        or fields.text(record, "imsi", max_length=20),
        imei=fields.text(_part(record, "endpoint"), "imei", max_length=20)
        or fields.text(record, "imei", max_length=20),
        detail=detail,
    )


def _iccid(record: Record) -> str | None:
    """Whose event it is; an endpoint has the name of its SIM."""
    said = (
        fields.text(_part(record, "sim"), "iccid"),
        fields.text(record, "iccid"),
        fields.text(_part(record, "endpoint"), "name"),
    )
    for number in filter(None, said):
        try:
            return normalize(number)
        except ValueError:
            continue
    return None


def _part(record: Record, name: str) -> Record:
    """An object inside the record, or its fields by their flat names (`sim_iccid`)."""
    inside = fields.nested(record, name)
    if inside:
        return inside
    return {key.removeprefix(f"{name}_"): record[key] for key in record if key.startswith(f"{name}_")}


def _type_id(record: Record, words: str) -> int | None:
    said = fields.whole(_part(record, "event_type"), "id")
    if said is not None:
        return said
    lowered = words.lower()
    if lowered in _IDS_BY_WORDS:
        return _IDS_BY_WORDS[lowered]
    if lowered.startswith(("pdp context request rejected", "create pdp")):
        return _CREATE_PDP
    return next((number for end, number in _CHANGES.items() if lowered.endswith(end)), None)


def _type(type_id: int | None, cause: str | None) -> str:
    if type_id == _CREATE_PDP and cause is not None:
        return "session_refused"
    return _TYPES[type_id][0] if type_id in _TYPES else "other"


def _severity(record: Record) -> str:
    number = fields.whole(_part(record, "event_severity"), "id")
    words = (fields.text(record, "event_severity") or "").lower()
    said = words if number is None else number
    if said in {2, "critical"}:
        return "critical"
    return "warning" if said in {1, "warn", "warning"} else "info"


def _cause_in(words: str) -> str | None:
    """v1 says the cause only in its text."""
    lowered = words.lower()
    return next((cause for cause in _CAUSES if cause.lower().replace("_", " ") in lowered), None)


def _detail(record: Record) -> dict[str, object]:
    """The nested detail; a text, as seen for VPN events, is kept as a text. Too large: left out."""
    detail = record.get("detail")
    if isinstance(detail, str):
        return {"text": fields.clean(detail)[:1000]}
    if not isinstance(detail, Mapping):
        return {}
    cleaned = fields.cleaned(detail)
    return cleaned if isinstance(cleaned, dict) and len(encode_json(cleaned)) <= _MAX_DETAIL_BYTES else {}


def _made_id(record: Record, iccid: str) -> str:
    """v1 gives no id: the same content is the same event."""
    content = [iccid, *(str(record.get(name)) for name in ("timestamp", "event_type", "imsi", "mcc", "mnc"))]
    return "c" + hashlib.sha256("\n".join(content).encode("utf-8", "replace")).hexdigest()[:31]

"""Short messages."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from sim_service.carrier.facts import CarrierSms, SmsCoding, SmsDirection, SmsState, SmsToSend
from sim_service.carrier.once import values

STATES = {
    2: SmsState.PENDING,
    3: SmsState.BUFFERED,
    4: SmsState.DELIVERED,
    5: SmsState.FAILED,
    6: SmsState.EXPIRED,
}
_DIRECTIONS = {1: SmsDirection.MT, 2: SmsDirection.MO}
CODINGS = {0: SmsCoding.TEXT, 4: SmsCoding.BINARY, 8: SmsCoding.UCS2}
_DCS = {coding: dcs for dcs, coding in CODINGS.items()}
_INTERNATIONAL, _ALPHANUMERIC = 145, 208
_LONGEST_PAYLOAD = 2000


def sms_body(message: SmsToSend) -> dict[str, Any]:
    """A message as both versions take it."""
    body: dict[str, Any] = {"payload": message.payload, "dcs": _DCS[message.coding]}
    if message.source:
        numeric = message.source.lstrip("+").isdigit()
        body["source_address"] = message.source
        body["source_address_type"] = {"id": _INTERNATIONAL if numeric else _ALPHANUMERIC}
    if message.udh:
        body["udh"] = message.udh
    if message.expires_at is not None:
        moment = message.expires_at.astimezone(UTC)
        body["expiry_date"] = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return body


def sms(record: Any, iccid: str) -> CarrierSms | None:
    """A message of v1 or v2; None without an id or a direction."""
    if not isinstance(record, Mapping):
        return None
    number = values.text(record, "id", longest=40)
    direction = _DIRECTIONS.get(values.whole(values.nested(record, "sms_type"), "id") or 0)
    if number is None or direction is None:
        return None
    to_sim = direction is SmsDirection.MT
    return CarrierSms(
        id=number,
        iccid=iccid,
        direction=direction,
        state=STATES.get(values.whole(values.nested(record, "status"), "id") or 0, SmsState.UNKNOWN),
        payload=values.raw(record, "payload", longest=_LONGEST_PAYLOAD),
        coding=CODINGS.get(values.whole(record, "dcs") or 0, SmsCoding.TEXT),
        udh=values.text(record, "udh", longest=280) or "",
        source=values.text(record, "source_address", longest=40),
        destination=values.text(record, "dest_address", longest=40)
        or (values.text(record, "msisdn", longest=40) if to_sim else None),
        submitted_at=values.moment(record, "submit_date"),
        delivered_at=values.moment(record, "delivery_date"),
        final_at=values.moment(record, "final_date"),
        expires_at=values.moment(record, "expiry_date"),
    )

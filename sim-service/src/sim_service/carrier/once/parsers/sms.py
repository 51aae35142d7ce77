"""Short messages."""

from datetime import UTC
from typing import Any

from sim_service.carrier.models import CarrierSms, SmsCoding, SmsDirection, SmsState, SmsToSend
from sim_service.carrier.once import fields
from sim_service.carrier.once.fields import Record

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
_MAX_PAYLOAD_LENGTH = 2000


def sms_body(message: SmsToSend) -> dict[str, Any]:
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


def sms(record: Record, iccid: str) -> CarrierSms | None:
    """A message of v1 or v2; None without an id or a direction."""
    number = fields.text(record, "id", max_length=40)
    direction = _DIRECTIONS.get(fields.whole(fields.nested(record, "sms_type"), "id") or 0)
    if number is None or direction is None:
        return None
    to_sim = direction is SmsDirection.MT
    return CarrierSms(
        id=number,
        iccid=iccid,
        direction=direction,
        state=STATES.get(fields.whole(fields.nested(record, "status"), "id") or 0, SmsState.UNKNOWN),
        payload=fields.raw(record, "payload", max_length=_MAX_PAYLOAD_LENGTH),
        coding=CODINGS.get(fields.whole(record, "dcs") or 0, SmsCoding.TEXT),
        udh=fields.text(record, "udh", max_length=280) or "",
        source=fields.text(record, "source_address", max_length=40),
        destination=fields.text(record, "dest_address", max_length=40)
        or (fields.text(record, "msisdn", max_length=40) if to_sim else None),
        submitted_at=fields.moment(record, "submit_date"),
        delivered_at=fields.moment(record, "delivery_date"),
        final_at=fields.moment(record, "final_date"),
        expires_at=fields.moment(record, "expiry_date"),
    )

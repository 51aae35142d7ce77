"""Reads pushes of 1NCE's SMS Forwarder: one object for each message from a SIM or delivery report.

The names inside `multi_part_info` are not documented, so the usual ones are understood.
"""

from collections.abc import Mapping
from typing import Any

from fleet_kit.errors import invalid
from sim_service.carrier.models import CarrierSms, SmsCoding, SmsDirection, SmsState
from sim_service.carrier.once import fields
from sim_service.carrier.once.parsers.sms import CODINGS, STATES
from sim_service.carrier.push_sms import DeliveryReport
from sim_service.platform.iccid import normalize

_MAX_ID_LENGTH = 40
_MAX_PAYLOAD_LENGTH = 2000
_REFERENCES = ("identifier", "id", "reference", "ref", "reference_number")
_TOTALS = ("total", "total_parts", "count", "parts")
_NUMBERS = ("partno", "part", "part_number", "number", "sequence", "sequence_number")
_MAX_PARTS, _MAX_REFERENCE = 255, 65_535


class SmsForwarderReader:
    def received(self, record: Mapping[str, Any]) -> CarrierSms:
        if not isinstance(record.get("payload"), str):
            raise invalid("payload", "is missing")
        return CarrierSms(
            id=_id(record),
            iccid=_iccid(record),
            direction=SmsDirection.MO,
            state=SmsState.DELIVERED,
            payload=fields.raw(record, "payload", max_length=_MAX_PAYLOAD_LENGTH),
            coding=CODINGS.get(fields.whole(record, "dcs") or 0, SmsCoding.TEXT),
            udh=fields.text(record, "udh", max_length=280) or _header(record),
            source=fields.text(record, "source_address", max_length=40),
            destination=fields.text(record, "dest_address", max_length=40),
            submitted_at=fields.moment(record, "submit_date"),
        )

    def report(self, record: Mapping[str, Any]) -> DeliveryReport:
        state = STATES.get(fields.whole(fields.nested(record, "status"), "id") or 0)
        if state is None:
            raise invalid("status.id", "is no status of a message")
        delivered_at = fields.moment(record, "delivery_date")
        return DeliveryReport(_id(record), _iccid(record), state, delivered_at)


def _id(record: Mapping[str, Any]) -> str:
    number = fields.text(record, "id", max_length=_MAX_ID_LENGTH)
    if number is None:
        raise invalid("id", "is missing")
    return number


def _iccid(record: Mapping[str, Any]) -> str:
    """1NCE names an endpoint after the ICCID of its SIM."""
    for place in (fields.nested(record, "endpoint"), fields.nested(record, "sim"), record):
        for name in ("name", "iccid"):
            try:
                return normalize(fields.text(place, name) or "")
            except ValueError:
                continue
    raise invalid("endpoint.name", "is no ICCID")


def _header(record: Mapping[str, Any]) -> str:
    """The user data header that `multi_part_info` was made of; empty for a whole message."""
    info = fields.nested(record, "multi_part_info")
    if not info:
        return ""
    reference, total, number = (_first(info, names) for names in (_REFERENCES, _TOTALS, _NUMBERS))
    if total == 1 or (total is None and number is None):
        return ""
    if reference is None or total is None or number is None or not 1 <= number <= total <= _MAX_PARTS:
        raise invalid("multi_part_info", "does not say which part of how many this is")
    if not 0 <= reference <= _MAX_REFERENCE:
        raise invalid("multi_part_info", "has a reference of more than 16 bits")
    width = 2 if reference < 256 else 4
    kind = "050003" if width == 2 else "060804"
    return f"{kind}{reference:0{width}X}{total:02X}{number:02X}"


def _first(info: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((found for name in names if (found := fields.whole(info, name)) is not None), None)

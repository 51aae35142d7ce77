"""1NCE's SMS Forwarder: one object for each message from a SIM, and one for each delivery report.

The names inside `multi_part_info` are not documented, so the usual ones are understood.
"""

from collections.abc import Mapping
from typing import Any

from fleet_kit.errors import invalid
from sim_service.carrier.facts import CarrierSms, SmsCoding, SmsDirection, SmsState
from sim_service.carrier.forwarder import DeliveryReport
from sim_service.carrier.once import values
from sim_service.carrier.once.records.sms import CODINGS, STATES
from sim_service.iccid import normalize

_LONGEST_ID = 40
_LONGEST_PAYLOAD = 2000
_REFERENCES = ("identifier", "id", "reference", "ref", "reference_number")
_TOTALS = ("total", "total_parts", "count", "parts")
_NUMBERS = ("partno", "part", "part_number", "number", "sequence", "sequence_number")
_MOST_PARTS, _MOST_REFERENCE = 255, 65_535


class Forwarder:
    """See sim_service.carrier.forwarder.ForwarderReader."""

    def received(self, record: Mapping[str, Any]) -> CarrierSms:
        """See ForwarderReader."""
        if not isinstance(record.get("payload"), str):
            raise invalid("payload", "is missing")
        return CarrierSms(
            id=_id(record),
            iccid=_iccid(record),
            direction=SmsDirection.MO,
            state=SmsState.DELIVERED,
            payload=values.raw(record, "payload", longest=_LONGEST_PAYLOAD),
            coding=CODINGS.get(values.whole(record, "dcs") or 0, SmsCoding.TEXT),
            udh=values.text(record, "udh", longest=280) or _header(record),
            source=values.text(record, "source_address", longest=40),
            destination=values.text(record, "dest_address", longest=40),
            submitted_at=values.moment(record, "submit_date"),
        )

    def report(self, record: Mapping[str, Any]) -> DeliveryReport:
        """See ForwarderReader."""
        state = STATES.get(values.whole(values.nested(record, "status"), "id") or 0)
        if state is None:
            raise invalid("status.id", "is no status of a message")
        delivered_at = values.moment(record, "delivery_date")
        return DeliveryReport(_id(record), _iccid(record), state, delivered_at)


def _id(record: Mapping[str, Any]) -> str:
    number = values.text(record, "id", longest=_LONGEST_ID)
    if number is None:
        raise invalid("id", "is missing")
    return number


def _iccid(record: Mapping[str, Any]) -> str:
    """1NCE names an endpoint after the ICCID of its SIM."""
    for place in (values.nested(record, "endpoint"), values.nested(record, "sim"), record):
        for name in ("name", "iccid"):
            try:
                return normalize(values.text(place, name) or "")
            except ValueError:
                continue
    raise invalid("endpoint.name", "is no ICCID")


def _header(record: Mapping[str, Any]) -> str:
    """The user data header that `multi_part_info` was made of; empty for a whole message."""
    info = values.nested(record, "multi_part_info")
    if not info:
        return ""
    reference, total, number = (_first(info, names) for names in (_REFERENCES, _TOTALS, _NUMBERS))
    if total == 1 or (total is None and number is None):
        return ""
    if reference is None or total is None or number is None or not 1 <= number <= total <= _MOST_PARTS:
        raise invalid("multi_part_info", "does not say which part of how many this is")
    if not 0 <= reference <= _MOST_REFERENCE:
        raise invalid("multi_part_info", "has a reference of more than 16 bits")
    width = 2 if reference < 256 else 4
    kind = "050003" if width == 2 else "060804"
    return f"{kind}{reference:0{width}X}{total:02X}{number:02X}"


def _first(info: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((found for name in names if (found := values.whole(info, name)) is not None), None)

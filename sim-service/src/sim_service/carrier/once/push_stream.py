"""1NCE's Data Streamer: usage records and events, nested or flat, numbers or strings.

Direction: here `tx` is what the SIM sent (MO) and `rx` what it received (MT), the other way round than in
REST. Volumes of data are in MB of 1,048,576 bytes as everywhere at 1NCE, those of SMS in messages.
This is the one place where many records come at once, so it reads with as few steps as it can.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sim_service.carrier.once import fields
from sim_service.carrier.once.fields import BYTES_PER_MB, Record
from sim_service.carrier.once.parsers import events
from sim_service.carrier.push_stream import StreamBatch, UnreadableRecord, UsageRecord, Window
from sim_service.platform.iccid import normalize

_DATA, _SMS = 5, 6
_MAX_ID_LENGTH = 64
_MAX_MB, _MAX_SMS = 1e9, 1_000_000
_TICK = timedelta(milliseconds=1)


class _FieldError(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


def read(records: Sequence[object], window: Window, into: StreamBatch) -> None:
    for record in records:
        iccid = None
        try:
            if not isinstance(record, dict):
                raise _FieldError("", "is not an object")
            if "event_type" in record or "event_type_id" in record:
                if (event := events.event(record)) is None:
                    raise _FieldError("sim", "the event has no moment, or no SIM")
                into.events.append(event)
                continue
            iccid = _iccid(record)
            into.usage.append(_usage(record, iccid, window))
        except _FieldError as error:
            into.unreadable.append(UnreadableRecord(error.field, error.reason, record, iccid))


def _usage(record: Record, iccid: str, window: Window) -> UsageRecord:
    at = _ended(record, window)
    kind, volume = record.get("traffic_type"), record.get("volume")
    number = kind.get("id") if type(kind) is dict else record.get("traffic_type_id")
    if type(volume) is dict:
        sent, received = volume.get("tx"), volume.get("rx")
    else:
        sent, received = record.get("volume_tx"), record.get("volume_rx")
    if sent is None and received is None:
        raise _FieldError("volume", "has neither tx nor rx")
    if number == _DATA or number == str(_DATA):
        mo, mt = _amount("volume.tx", sent, _MAX_MB), _amount("volume.rx", received, _MAX_MB)
        return UsageRecord(_id(record), iccid, at, round(mo * BYTES_PER_MB), round(mt * BYTES_PER_MB), 0, 0)
    if number == _SMS or number == str(_SMS):
        mo, mt = _amount("volume.tx", sent, _MAX_SMS), _amount("volume.rx", received, _MAX_SMS)
        return UsageRecord(_id(record), iccid, at, 0, 0, round(mo), round(mt))
    raise _FieldError("traffic_type", "is neither 5 (data) nor 6 (SMS)")


def _id(record: Record) -> str:
    value = record.get("id")
    if type(value) is int or (isinstance(value, str) and value.isascii() and value.isprintable()):
        text = str(value)
        if 0 < len(text) <= _MAX_ID_LENGTH:
            return text
    raise _FieldError("id", f"is not a number or text of at most {_MAX_ID_LENGTH} characters")


def _iccid(record: Record) -> str:
    sim = record.get("sim")
    value = sim.get("iccid") if type(sim) is dict else record.get("sim_iccid")
    try:
        return normalize(str(value) if isinstance(value, str | int) else "")
    except ValueError as error:
        raise _FieldError("sim.iccid", str(error)) from None


def _ended(record: Record, window: Window) -> datetime:
    """The moment just before the end: what ends at midnight was used before it."""
    end = fields.moment(record, "end_timestamp")
    if end is None:
        raise _FieldError("end_timestamp", "is not a date")
    if end < window.oldest:
        raise _FieldError("end_timestamp", "is older than what is kept to recognise repetitions")
    if end > window.latest:
        raise _FieldError("end_timestamp", "is too far ahead")
    return end if record.get("start_timestamp") == record.get("end_timestamp") else end - _TICK


def _amount(field: str, value: object, most: float) -> float:
    """A volume; left out or null is 0, as for the direction in which nothing went."""
    if value is None:
        return 0.0
    try:
        number = float(value) if isinstance(value, int | float | str) and type(value) is not bool else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if not 0 <= number <= most:
        raise _FieldError(field, f"is not a number from 0 to {most:,.0f}")
    return number

"""1NCE's Data Streamer: usage records and events, nested or flat, numbers or strings.

Direction: here `tx` is what the SIM sent (MO) and `rx` what it received (MT), the other way round than in
REST. Volumes of data are in MB of 1,048,576 bytes as everywhere at 1NCE, those of SMS in messages.
This is the one place where many records come at once, so it reads with as few steps as it can.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sim_service.carrier.once.records import events
from sim_service.carrier.once.values import BYTES_PER_MB
from sim_service.carrier.stream import Streamed, Unreadable, UsageRecord, Window
from sim_service.iccid import normalize

_DATA, _SMS = 5, 6
_LONGEST_ID = 64
_MOST_MB, _MOST_SMS = 1e9, 1_000_000
_TICK = timedelta(milliseconds=1)

Record = Mapping[str, Any]


class _Odd(Exception):
    """A field that cannot be read."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


def read(records: Sequence[object], window: Window, into: Streamed) -> None:
    """See sim_service.carrier.stream.StreamReader."""
    for record in records:
        iccid = None
        try:
            if not isinstance(record, dict):
                raise _Odd("", "is not an object")
            if "event_type" in record or "event_type_id" in record:
                _event(record, into)
                continue
            iccid = _iccid(record)
            into.usage.append(_usage(record, iccid, window))
        except _Odd as odd:
            into.unreadable.append(Unreadable(odd.field, odd.reason, record, iccid))


def _event(record: Record, into: Streamed) -> None:
    event = events.event(record)
    if event is None:
        raise _Odd("sim", "the event has no moment, or no SIM")
    into.events.append(event)


def _usage(record: Record, iccid: str, window: Window) -> UsageRecord:
    at = _ended(record, window)
    kind, volume = record.get("traffic_type"), record.get("volume")
    number = kind.get("id") if type(kind) is dict else record.get("traffic_type_id")
    if type(volume) is dict:
        sent, received = volume.get("tx"), volume.get("rx")
    else:
        sent, received = record.get("volume_tx"), record.get("volume_rx")
    if sent is None and received is None:
        raise _Odd("volume", "has neither tx nor rx")
    if number == _DATA or number == str(_DATA):
        mo, mt = _amount("volume.tx", sent, _MOST_MB), _amount("volume.rx", received, _MOST_MB)
        return UsageRecord(_id(record), iccid, at, round(mo * BYTES_PER_MB), round(mt * BYTES_PER_MB), 0, 0)
    if number == _SMS or number == str(_SMS):
        mo, mt = _amount("volume.tx", sent, _MOST_SMS), _amount("volume.rx", received, _MOST_SMS)
        return UsageRecord(_id(record), iccid, at, 0, 0, round(mo), round(mt))
    raise _Odd("traffic_type", "is neither 5 (data) nor 6 (SMS)")


def _id(record: Record) -> str:
    value = record.get("id")
    if type(value) is int or (isinstance(value, str) and value.isascii() and value.isprintable()):
        text = str(value)
        if 0 < len(text) <= _LONGEST_ID:
            return text
    raise _Odd("id", f"is not a number or text of at most {_LONGEST_ID} characters")


def _iccid(record: Record) -> str:
    sim = record.get("sim")
    value = sim.get("iccid") if type(sim) is dict else record.get("sim_iccid")
    try:
        return normalize(str(value) if isinstance(value, str | int) else "")
    except ValueError as error:
        raise _Odd("sim.iccid", str(error)) from None


def _ended(record: Record, window: Window) -> datetime:
    """The moment just before the end: what ends at midnight was used before it."""
    end = _moment(record, "end_timestamp")
    if end < window.oldest:
        raise _Odd("end_timestamp", "is older than what is kept to recognise repetitions")
    if end > window.latest:
        raise _Odd("end_timestamp", "is too far ahead")
    return end if record.get("start_timestamp") == record.get("end_timestamp") else end - _TICK


def _moment(record: Record, name: str) -> datetime:
    value = record.get(name)
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        if parsed is not None:
            return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _Odd(name, "is not a date")


def _amount(field: str, value: object, most: float) -> float:
    """A volume; left out or null is 0, as for the direction in which nothing went."""
    if value is None:
        return 0.0
    try:
        number = float(value) if isinstance(value, int | float | str) and type(value) is not bool else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if not 0 <= number <= most:
        raise _Odd(field, f"is not a number from 0 to {most:,.0f}")
    return number

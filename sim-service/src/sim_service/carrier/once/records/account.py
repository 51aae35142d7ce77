"""Tickets and the account's monthly limits."""

from collections.abc import Mapping
from typing import Any

from sim_service.carrier.facts import CarrierTicket, TicketEntry, VolumeLimit, VolumeLimits
from sim_service.carrier.once import values

_LONGEST_TEXT = 50_000
_LIMIT_NAMES = {"data": "data", "sms_mo": "smsMo", "sms_mt": "smsMt"}


def ticket(record: Any) -> CarrierTicket | None:
    """A ticket with its conversation, oldest entry first; None without an id."""
    if not isinstance(record, Mapping):
        return None
    number = values.text(record, "caseId", longest=40)
    if number is None:
        return None
    said = record.get("communications")
    entries = [entry for row in said if (entry := _entry(row)) is not None] if isinstance(said, list) else []
    return CarrierTicket(
        id=number,
        subject=values.text(record, "subject", longest=500) or "",
        text=values.raw(record, "text", longest=_LONGEST_TEXT),
        status=(values.text(record, "status", longest=40) or "unknown").lower(),
        created_at=values.moment(record, "createDate"),
        solved_at=values.moment(record, "solvedDate"),
        entries=tuple(
            sorted(entries, key=lambda entry: (entry.at is None, entry.at.timestamp() if entry.at else 0))
        ),
    )


def _entry(record: Any) -> TicketEntry | None:
    number = values.text(record, "id", longest=40) if isinstance(record, Mapping) else None
    if number is None:
        return None
    return TicketEntry(
        id=number,
        at=values.moment(record, "communicationDate"),
        incoming=(values.text(record, "direction") or "").upper() == "IN",
        author=values.text(record, "originator"),
        text=values.raw(record, "text", longest=_LONGEST_TEXT),
        subject=values.text(record, "subject", longest=500),
    )


def limits(record: Mapping[str, Any]) -> VolumeLimits:
    """The limits that are set."""
    found = {ours: _limit(values.nested(record, theirs)) for ours, theirs in _LIMIT_NAMES.items()}
    return VolumeLimits(**found)


def choices(body: Any, kind: str) -> list[VolumeLimit]:
    """What can be set: a bare array, an array in `limits`, or just the present one, as specified."""
    rows = body
    if isinstance(body, Mapping):
        rows = body.get("limits", [body.get(_LIMIT_NAMES[kind])])
    if not isinstance(rows, list):
        return []
    read = (_limit(row) for row in rows)
    return [limit for limit in read if limit is not None]


def _limit(record: Any) -> VolumeLimit | None:
    if not isinstance(record, Mapping):
        return None
    number, value = values.whole(record, "id"), values.number(record, "limit")
    if number is None or value is None:
        return None
    return VolumeLimit(id=number, value=value, unit=values.text(record, "unit", longest=10) or "")

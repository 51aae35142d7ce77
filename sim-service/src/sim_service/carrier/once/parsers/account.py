"""Tickets and the account's monthly limits."""

from collections.abc import Mapping
from typing import Any

from sim_service.carrier.models import CarrierTicket, TicketEntry, VolumeLimit, VolumeLimits
from sim_service.carrier.once import fields
from sim_service.carrier.once.fields import Record

_MAX_TEXT_LENGTH = 50_000
_LIMIT_NAMES = {"data": "data", "sms_mo": "smsMo", "sms_mt": "smsMt"}


def ticket(record: Record) -> CarrierTicket | None:
    """A ticket with its conversation, oldest entry first; None without an id."""
    number = fields.text(record, "caseId", max_length=40)
    if number is None:
        return None
    said = record.get("communications")
    entries = [entry for row in said if (entry := _entry(row)) is not None] if isinstance(said, list) else []
    return CarrierTicket(
        id=number,
        subject=fields.text(record, "subject", max_length=500) or "",
        text=fields.raw(record, "text", max_length=_MAX_TEXT_LENGTH),
        status=(fields.text(record, "status", max_length=40) or "unknown").lower(),
        created_at=fields.moment(record, "createDate"),
        solved_at=fields.moment(record, "solvedDate"),
        entries=tuple(
            sorted(entries, key=lambda entry: (entry.at is None, entry.at.timestamp() if entry.at else 0))
        ),
    )


def _entry(record: Any) -> TicketEntry | None:
    number = fields.text(record, "id", max_length=40) if isinstance(record, Mapping) else None
    if number is None:
        return None
    return TicketEntry(
        id=number,
        at=fields.moment(record, "communicationDate"),
        incoming=(fields.text(record, "direction") or "").upper() == "IN",
        author=fields.text(record, "originator"),
        text=fields.raw(record, "text", max_length=_MAX_TEXT_LENGTH),
        subject=fields.text(record, "subject", max_length=500),
    )


def limits(record: Record) -> VolumeLimits:
    return VolumeLimits(**{ours: _limit(fields.nested(record, name)) for ours, name in _LIMIT_NAMES.items()})


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
    number, value = fields.whole(record, "id"), fields.number(record, "limit")
    if number is None or value is None:
        return None
    return VolumeLimit(id=number, value=value, unit=fields.text(record, "unit", max_length=10) or "")

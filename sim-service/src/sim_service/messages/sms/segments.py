"""Splitting a message into parts that each fit into one short message (3GPP TS 23.040, 9.2.3.24.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from fleet_kit.errors import invalid
from sim_service.carrier.models import SmsCoding
from sim_service.messages.sms.alphabet import not_encodable, septets
from sim_service.messages.sms.concatenation import concat_header

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one message holds, alone or as a part of a longer one with its 6 bytes of header."""

    single: int
    per_part: int
    unit: str


CAPACITY = {
    SmsCoding.TEXT: Capacity(160, 153, "characters of the 7-bit alphabet"),
    SmsCoding.UCS2: Capacity(70, 67, "16-bit characters"),
    SmsCoding.BINARY: Capacity(140, 134, "bytes"),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One part as the carrier takes it; `udh` is empty where there is only one."""

    payload: str
    udh: str = ""


def coding_of(text: str, wanted: SmsCoding | None) -> SmsCoding:
    """The coding to use; None chooses. Raises 422 naming what the 7-bit alphabet does not have."""
    foreign = not_encodable(text)
    if wanted is not SmsCoding.TEXT:
        return wanted or (SmsCoding.UCS2 if foreign else SmsCoding.TEXT)
    if foreign:
        named = " ".join(repr(char) for char in foreign[:_MOST_NAMED])
        raise invalid(
            "text",
            f"not in the 7-bit alphabet: {named}; use coding auto or ucs2",
            code="SMS_CHARACTERS_UNKNOWN",
        )
    return wanted


def split(payload: str, coding: SmsCoding, *, reference: int, most_parts: int) -> list[Segment]:
    """The parts of a message, all with its `reference` (0-255); raises 422 for more than `most_parts`."""
    capacity = CAPACITY[coding]
    pieces = _pieces(payload, coding)
    length = sum(size for _, size in pieces)
    if length <= capacity.single:
        return [Segment(payload)]
    parts = _pack(pieces, capacity.per_part)
    if len(parts) > most_parts:
        field = "hex" if coding is SmsCoding.BINARY else "text"
        most = capacity.per_part * most_parts if most_parts > 1 else capacity.single
        message = f"{length} {capacity.unit}, at most {most} fit into {most_parts} messages"
        raise invalid(field, message, code="SMS_TOO_LONG")
    total = len(parts)
    return [Segment(part, concat_header(reference, total, number)) for number, part in enumerate(parts, 1)]


def _pieces(payload: str, coding: SmsCoding) -> list[tuple[str, int]]:
    """What must stay together, with the places it takes: an escaped character, a surrogate pair, a byte."""
    if coding is SmsCoding.BINARY:
        return [(payload[at : at + 2], 1) for at in range(0, len(payload), 2)]
    if coding is SmsCoding.TEXT:
        return [(char, septets(char)) for char in payload]
    return [(char, 2 if ord(char) > 0xFFFF else 1) for char in payload]


def _pack(pieces: Sequence[tuple[str, int]], capacity: int) -> list[str]:
    parts, part, left = [], "", capacity
    for piece, size in pieces:
        if size > left:
            parts.append(part)
            part, left = "", capacity
        part += piece
        left -= size
    return [*parts, part]

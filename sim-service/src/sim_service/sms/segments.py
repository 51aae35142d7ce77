"""Splitting a message into parts that each fit into one short message (3GPP TS 23.040, 9.2.3.24.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleet_kit.errors import Unprocessable, invalid
from sim_service.carrier.facts import SmsCoding
from sim_service.sms.alphabet import septets, strangers
from sim_service.sms.header import header

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Room:
    """What one message holds alone, and as a part of a longer one with its 6 bytes of header."""

    alone: int
    in_part: int
    unit: str


ROOM = {
    SmsCoding.TEXT: Room(160, 153, "characters of the 7-bit alphabet"),
    SmsCoding.UCS2: Room(70, 67, "16-bit characters"),
    SmsCoding.BINARY: Room(140, 134, "bytes"),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One part as the carrier takes it; `udh` is empty where there is only one."""

    payload: str
    udh: str = ""


def coding_of(text: str, wanted: SmsCoding | None) -> SmsCoding:
    """The coding to use; None chooses. Raises 422 naming what the 7-bit alphabet does not have."""
    foreign = strangers(text)
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
    """The parts of a message; raises 422 where they would be more than `most_parts`.

    `reference` (0-255) tells the parts of one message from those of another.
    """
    room = ROOM[coding]
    pieces = _pieces(payload, coding)
    length = sum(size for _, size in pieces)
    if length <= room.alone:
        return [Segment(payload)]
    parts = _pack(pieces, room.in_part)
    if len(parts) > most_parts:
        raise _too_long(length, room, most_parts, coding)
    total = len(parts)
    return [Segment(part, header(reference, total, number)) for number, part in enumerate(parts, 1)]


def _pieces(payload: str, coding: SmsCoding) -> list[tuple[str, int]]:
    """What must stay together, with the places it takes: an escaped character, a surrogate pair, a byte."""
    if coding is SmsCoding.BINARY:
        return [(payload[at : at + 2], 1) for at in range(0, len(payload), 2)]
    size: Callable[[str], int] = septets if coding is SmsCoding.TEXT else _units
    return [(char, size(char)) for char in payload]


def _units(char: str) -> int:
    return 2 if ord(char) > 0xFFFF else 1


def _pack(pieces: Sequence[tuple[str, int]], room: int) -> list[str]:
    parts, part, left = [], "", room
    for piece, size in pieces:
        if size > left:
            parts.append(part)
            part, left = "", room
        part += piece
        left -= size
    return [*parts, part]


def _too_long(length: int, room: Room, most_parts: int, coding: SmsCoding) -> Unprocessable:
    most = room.in_part * most_parts if most_parts > 1 else room.alone
    return invalid(
        "hex" if coding is SmsCoding.BINARY else "text",
        f"{length} {room.unit}, at most {most} fit into {most_parts} messages",
        code="SMS_TOO_LONG",
    )

"""The user data header that says which part of a longer message this is (3GPP TS 23.040, 9.2.3.24)."""

from dataclasses import dataclass

_EIGHT_BIT, _SIXTEEN_BIT = 0x00, 0x08
"""Information elements of concatenated messages, by the size of their reference."""


@dataclass(frozen=True, slots=True)
class ConcatInfo:
    """The part `number` of `total`, counted from 1, of the message with this reference."""

    reference: int | None
    total: int
    number: int


def concat_header(reference: int, total: int, number: int) -> str:
    """The header in hexadecimal, with a reference of 8 bits, or of 16 where it needs them."""
    if reference < 256:
        return f"050003{reference:02X}{total:02X}{number:02X}"
    return f"060804{reference:04X}{total:02X}{number:02X}"


def concat_info(udh: str) -> ConcatInfo | None:
    """What a header (hexadecimal) says; None for whole messages and for headers of other kinds."""
    try:
        octets = bytes.fromhex(udh)
    except ValueError:
        return None
    at = 1
    while at + 2 <= len(octets):
        kind, length = octets[at], octets[at + 1]
        data = octets[at + 2 : at + 2 + length]
        if (kind, len(data)) in {(_EIGHT_BIT, 3), (_SIXTEEN_BIT, 4)}:
            info = ConcatInfo(int.from_bytes(data[:-2], "big"), data[-2], data[-1])
            return info if 1 <= info.number <= info.total else None
        at += 2 + length
    return None

"""What fits into one short message (3GPP TS 23.038 and 23.040)."""

import re

from once_sandbox.errors import ApiError

_BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = set("^{}\\[~]|€\f")
TEXT, BINARY, UCS2 = 0, 4, 8
MOST = {TEXT: (160, 153), BINARY: (140, 134), UCS2: (70, 67)}
"""Most characters or bytes alone, and as a part of a longer message with its user data header."""
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


def check(payload: str, dcs: int, udh: str) -> None:
    """Raise ApiError 400 if this cannot be sent as one message."""
    if dcs not in MOST:
        raise ApiError(400, f"dcs: {dcs} is not supported, expected 0, 4 or 8")
    if not _HEX.fullmatch(udh):
        raise ApiError(400, "udh: not a hex string")
    length, most = _length(payload, dcs), MOST[dcs][1 if udh else 0]
    if length > most:
        raise ApiError(400, f"payload: {length} exceeds the {most} that fit into one message")


def _length(payload: str, dcs: int) -> int:
    if dcs == BINARY:
        if not _HEX.fullmatch(payload):
            raise ApiError(400, "payload: not a hex string, as dcs 4 requires")
        return len(payload) // 2
    if dcs == UCS2:
        return len(payload.encode("utf-16-be", "surrogatepass")) // 2
    wrong = sorted(set(payload) - _BASIC - _EXTENDED)
    if wrong:
        raise ApiError(400, f"payload: {wrong[0]!r} is not in the GSM 7-bit alphabet, use dcs 8")
    return len(payload) + sum(char in _EXTENDED for char in payload)

"""The 7-bit alphabet of short messages (3GPP TS 23.038), which most messages fit into."""

from functools import lru_cache

import gsm0338

_codec = gsm0338.Codec()
_ESCAPE = "\x1b"
"""Announces a character of the extension table; it is no character itself."""


@lru_cache(maxsize=4096)
def septets(char: str) -> int:
    """How many of a message's 7-bit places a character takes: 1, 2 (extension table), 0 if it has none."""
    if char == _ESCAPE:
        return 0
    try:
        return len(_codec.encode(char)[0])
    except UnicodeEncodeError:
        return 0


def not_encodable(text: str) -> list[str]:
    """The characters outside the alphabet, each once, in the order of the text."""
    return list(dict.fromkeys(char for char in text if not septets(char)))

"""Ids of rows; needs no framework, so that small processes can make them too."""

import os
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    """A UUID that sorts by the time it was made (RFC 9562, version 7)."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    return UUID(int=value & ~(0x3 << 62) | (0x2 << 62))


def first_uuid7(moment: datetime) -> UUID:
    """Sorts before every id made at that millisecond or later, and after all earlier ones."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)

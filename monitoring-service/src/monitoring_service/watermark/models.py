"""What each worker notes, and what follows from that."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Note:
    """How far a worker is; `watermark` None: nobody knows.

    `holds_until`: unless it says so anew, what it was given has come back to its queue by then; there it is
    in front of every mark that is sent later.
    """

    worker: str
    watermark: datetime | None
    holds_until: datetime


def of_fleet(own: datetime, others: Collection[Note]) -> datetime | None:
    """The watermark of all together as the worker sees it that has reached `own`; None if nobody knows."""
    live = [note for note in others if note.holds_until >= own]
    low = _lowest(own, live)
    # What a worker left behind is in front of their marks only if the last of them has met one sent later.
    return low and _lowest(low, [note for note in others if note.holds_until >= low])


def _lowest(own: datetime, notes: Collection[Note]) -> datetime | None:
    known = [note.watermark for note in notes if note.watermark is not None]
    return min([own, *known]) if len(known) == len(notes) else None

"""How far each worker is, and what follows for all of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WorkerProgress:
    """How far a worker is; `watermark` None: nobody knows.

    `holds_until`: unless it says so anew, what it was given has come back to its queue by then; there it is
    in front of every mark that is sent later.
    """

    id: str
    watermark: datetime | None
    holds_until: datetime


def fleet_watermark(own: datetime, others: Collection[WorkerProgress]) -> datetime | None:
    """The watermark of all together as the worker sees it that has reached `own`; None if nobody knows."""
    live = [worker for worker in others if worker.holds_until >= own]
    low = _lowest(own, live)
    # What a worker left behind is in front of their marks only if the last of them has met one sent later.
    return low and _lowest(low, [worker for worker in others if worker.holds_until >= low])


def _lowest(own: datetime, workers: Collection[WorkerProgress]) -> datetime | None:
    known = [worker.watermark for worker in workers if worker.watermark is not None]
    return min([own, *known]) if len(known) == len(workers) else None

"""When a client has been away for too long to be given everything it missed."""

import time
from collections.abc import Sequence
from datetime import timedelta

from monitoring_service.store.counts import Counts
from monitoring_service.store.reads import Reads
from monitoring_service.store.sequence import MINUTE


class ResumeLimit:
    """Too long: before what is kept for resuming, or more readings behind than `most`."""

    def __init__(self, counts: Counts, *, kept: timedelta, most: int) -> None:
        self._counts, self._kept, self._most = counts, kept, most

    async def reason(self, organizations: Sequence[str], cursor: int, reads: Reads) -> str | None:
        """Why everything after the cursor cannot be given, None where it can. Raises StoreError."""
        if cursor < (time.time() - self._kept.total_seconds()) * 1_000_000:
            return "RETENTION"
        minutes = await self._counts.by_minute(organizations, cursor // MINUTE, reads=reads)
        # Of the cursor's own minute it has had a part: taken as evenly filled.
        had = minutes.get(cursor // MINUTE, 0) * (cursor % MINUTE) // MINUTE
        behind = sum(minutes.values()) - had
        return "TOO_FAR_BEHIND" if behind > self._most else None

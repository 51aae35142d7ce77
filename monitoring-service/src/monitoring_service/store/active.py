"""Which of many organisations stored something when: only they are asked for it."""

from collections.abc import Iterable, Sequence

from monitoring_service.store.counts import FEW, HOUR, UNFOLDED, Counts
from monitoring_service.store.reads import Reads
from monitoring_service.store.sequence import MINUTE, Snapshot
from monitoring_service.store.windows import SPILL


class ActiveOrganizations:
    """Those among `organizations` that have readings in a piece of the sequence, by the counts.

    A piece of the last seconds is answered from the snapshot alone, any other one from the counts of its
    hour, which are read once for all pieces of it.
    """

    def __init__(
        self, counts: Counts, organizations: Sequence[str], snapshot: Snapshot, reads: Reads
    ) -> None:
        self._counts, self._snapshot, self._reads = counts, snapshot, reads
        self._organizations, self._names = organizations, frozenset(organizations)
        self._hours: dict[int, dict[int, set[str]]] = {}

    async def of(self, low: int, high: int) -> Sequence[str]:
        """Those of [low, high); all of them where they are few. Raises what `reads` does."""
        if len(self._names) <= FEW:
            return self._organizations
        # A block is counted in the minute that it starts in, and may end in the next one.
        minutes = range(low // MINUTE - 1, -(-high // MINUTE))
        if low < self._snapshot.stable - UNFOLDED + SPILL:
            found = await self._counted(minutes)
        else:
            found = self._recent(minutes)
        return [name for name in self._organizations if name in found]

    def _recent(self, minutes: Iterable[int]) -> set[str]:
        recent = self._snapshot.recent.items()
        return {name for name, counted in recent if any(counted.get(minute) for minute in minutes)}

    async def _counted(self, minutes: Iterable[int]) -> set[str]:
        found = set[str]()
        for hour in sorted({minute * MINUTE // HOUR for minute in minutes}):
            by_minute = self._hours.get(hour)
            if by_minute is None:
                by_minute = await self._read(hour)
            found = found.union(*(by_minute.get(minute, ()) for minute in minutes))
        return found

    async def _read(self, hour: int) -> dict[int, set[str]]:
        by_minute: dict[int, set[str]] = {}
        span = hour * 60, hour * 60 + 59
        async for name, minutes in self._counts.filled(self._names, *span, self._snapshot, reads=self._reads):
            for minute in minutes:
                by_minute.setdefault(minute, set()).add(name)
        self._hours = {known: read for known, read in self._hours.items() if abs(known - hour) <= 1}
        self._hours[hour] = by_minute
        return by_minute

"""What was asked: the last calls, their counts, and the busiest second of each kind."""

import re
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from once_sandbox.wire import Json, zulu

MAX_ENTRIES = 5_000
_NUMBERS = re.compile(r"/\d+(?=/|$)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One call; status 0: the connection was dropped."""

    at: float
    method: str
    path: str
    query: str
    status: int
    milliseconds: float
    fault: str | None

    def json(self) -> Json:
        """The entry for the control API."""
        return {
            "at": zulu(self.at),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "milliseconds": round(self.milliseconds, 2),
            "fault": self.fault,
        }


@dataclass(slots=True)
class RequestLog:
    """Counts live as long as the log; `busiest`: most calls of one kind that came in within any second."""

    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    busiest: Counter[str] = field(default_factory=Counter)
    recent: dict[str, deque[float]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Remember a call."""
        self.entries.append(entry)
        template = _NUMBERS.sub("/{id}", entry.path)
        self.counts[entry.method, template, entry.status] += 1

    def arrived(self, path: str) -> None:
        """Count a call that has just come in, for the busiest second of its kind."""
        kind = path.split("/")[1 if path.startswith("/oauth") else 2]
        now = time.monotonic()
        window = self.recent.setdefault(kind, deque())
        window.append(now)
        while window[0] <= now - 1:
            window.popleft()
        self.busiest[kind] = max(self.busiest[kind], len(window))

    def summary(self) -> Json:
        """Counts by method, path without its numbers, and status."""
        rows = [
            {"method": method, "path": path, "status": status, "count": count}
            for (method, path, status), count in self.counts.most_common()
        ]
        return {"total": self.counts.total(), "busiest_second": dict(self.busiest), "by": rows}

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.counts.clear()
        self.busiest.clear()
        self.recent.clear()

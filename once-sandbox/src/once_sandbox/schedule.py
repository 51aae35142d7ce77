"""What will happen later in the sandbox's time: payments, deliveries, lagging updates."""

import heapq
from dataclasses import dataclass, field
from typing import Any


@dataclass(order=True, slots=True)
class Due:
    """Something to do at a moment; `kind` names the function, `details` are its arguments."""

    at: float
    number: int
    kind: str = field(compare=False)
    details: dict[str, Any] = field(compare=False)


@dataclass(slots=True)
class Schedule:
    """Waiting actions, earliest first; equal moments keep the order in which they were planned."""

    waiting: list[Due] = field(default_factory=list)
    planned: int = 0

    def plan(self, at: float, kind: str, **details: Any) -> None:
        """Let `kind` happen at that moment."""
        self.planned += 1
        heapq.heappush(self.waiting, Due(at, self.planned, kind, details))

    def take(self, now: float) -> Due | None:
        """The earliest action that is due, or none."""
        if not self.waiting or self.waiting[0].at > now:
            return None
        return heapq.heappop(self.waiting)

"""How much each of many callers may take: so much a second in the long run, and some more at once."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Allowances(Generic[Key]):
    """One allowance for each key, in one number each (GCRA, the generic cell rate algorithm).

    `per_second` in the long run and `burst` at once, in any unit. Each process counts for itself and without
    waiting: counting must cost less than what it saves. Of more than `most_keys` the one that took for the
    longest time nothing is forgotten, which gives it its whole allowance back.
    """

    def __init__(
        self,
        per_second: float,
        burst: float,
        *,
        most_keys: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._most_seconds = per_second, burst / per_second
        self._most_keys, self._clock = most_keys, clock
        self._full_at: OrderedDict[Key, float] = OrderedDict()
        """When each key has its whole allowance again."""

    def take(self, key: Key, amount: float = 1) -> float:
        """0 if that was allowed and is taken; else the seconds until it will be, and nothing is taken.

        More than `burst` is never allowed.
        """
        now = self._clock()
        full_at = max(now, self._full_at.get(key, now)) + amount / self._per_second
        missing = full_at - now - self._most_seconds
        if missing > 0:
            return missing
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most_keys:
            self._full_at.popitem(last=False)
        return 0

    def give_back(self, key: Key, amount: float = 1) -> None:
        """Let what was taken not count."""
        if key in self._full_at:
            self._full_at[key] -= amount / self._per_second

"""What was seen lately, in the memory of one process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class ExpiringSet(Generic[Key]):
    """Keys, each for `seconds` after it was added last; of more than `most` the oldest goes."""

    def __init__(self, seconds: float, *, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._until: OrderedDict[Key, float] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        """Whether it was added, and its time is not over."""
        return self._until.get(key, 0.0) > self._clock()

    def add(self, key: Key) -> None:
        """Its time begins anew."""
        self._until[key] = self._clock() + self._seconds
        self._until.move_to_end(key)
        if len(self._until) > self._most:
            self._until.popitem(last=False)

    def discard(self, key: Key) -> None:
        """Remove it, if it is there."""
        self._until.pop(key, None)

"""Hours of devices that wait to be summed: each organisation has its turn."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime

MOST_WAITING = 200_000
"""Hours of one organisation; twice the devices that it may have."""

Key = tuple[str, str, datetime]
"""Organisation, device, hour."""


class WaitingHours:
    """Taken one of each organisation after the other, and of one organisation in the order of coming."""

    def __init__(self, most_each: int = MOST_WAITING) -> None:
        self._owners: OrderedDict[str, dict[Key, float]] = OrderedDict()
        self._most_each = most_each

    def add(self, key: Key, due: float) -> bool:
        """Have an hour wait until `due`, unless it does already; False where too many wait."""
        hours = self._owners.setdefault(key[0], {})
        if key not in hours and len(hours) >= self._most_each:
            return False
        hours.setdefault(key, due)
        return True

    def take(self, now: float, most: int) -> list[Key]:
        """Take out so many that are due."""
        taken: list[Key] = []
        found = True
        while found and len(taken) < most:
            found = False
            for owner in list(self._owners):
                key, due = next(iter(self._owners[owner].items()))
                if due > now:
                    continue
                found = True
                taken.append(key)
                self._remove(key)
                if len(taken) == most:
                    break
        return taken

    def put_back(self, keys: Iterable[Key], now: float) -> None:
        """Have hours that were taken wait in front again, due at once."""
        returned: dict[str, dict[Key, float]] = {}
        for key in keys:
            returned.setdefault(key[0], {})[key] = now
        for owner, hours in returned.items():
            # Those that grew meanwhile came again with a later time, for which all behind them would wait.
            self._owners[owner] = hours | self._owners.get(owner, {}) | hours

    def _remove(self, key: Key) -> None:
        hours = self._owners[key[0]]
        del hours[key]
        if hours:
            self._owners.move_to_end(key[0])
        else:
            del self._owners[key[0]]

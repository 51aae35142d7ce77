"""Calls to the carrier that must not be repeated: how one whose answer was lost is found again.

The row of such a call is committed before the carrier is asked, and marked as sent right before the call.
Where the answer is lost, the outcome is unknown, and the call's item is searched in the carrier's list: it
has the same content, appeared while the carrier was being asked, and belongs to no other row. Only a complete
list that was begun long enough after the call proves that the call never arrived.
"""

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

CallT = TypeVar("CallT")
ItemT = TypeVar("ItemT")

_FIRST_DELAY = timedelta(seconds=2)
_MOST_DOUBLINGS = 12


@dataclass(frozen=True, slots=True)
class Listing(Generic[ItemT]):
    """`complete`: no item since the earliest call can be missing; `begun_at`: before page 1 was read."""

    items: Sequence[ItemT]
    complete: bool
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class LostCalls(Generic[CallT, ItemT]):
    """How the item of a lost call is recognised.

    `identity`: what no two calls can share. `longest_call`: how long after `sent_at` an item may appear;
    None: no limit. `rank`: of several items the lowest is taken; None: the first in the list.
    """

    sent_at: Callable[[CallT], datetime]
    appeared_at: Callable[[ItemT], datetime | None]
    same_content: Callable[[CallT, ItemT], bool]
    identity: Callable[[CallT, ItemT], Hashable]
    clock_tolerance: timedelta
    longest_call: timedelta | None = None
    rank: Callable[[CallT, ItemT], Any] | None = None

    def candidates(self, call: CallT, items: Sequence[ItemT]) -> list[ItemT]:
        """The items that may be the call's, the likeliest first."""
        found = [item for item in items if self._in_time(call, item) and self.same_content(call, item)]
        rank = self.rank
        return found if rank is None else sorted(found, key=lambda item: rank(call, item))

    def settle(
        self,
        calls: Sequence[CallT],
        listing: Listing[ItemT],
        taken: Collection[Hashable],
        *,
        give_up: timedelta,
    ) -> Iterator[tuple[CallT, ItemT | None]]:
        """Calls with their items, and with None those that never arrived; the others stay unknown.

        `taken`: identities that belong to a call already. `give_up`: after so long the list shows an item.
        """
        used = set(taken)
        for call in calls:
            fitting = self.candidates(call, listing.items)
            item = next((item for item in fitting if self.identity(call, item) not in used), None)
            if item is not None:
                used.add(self.identity(call, item))
                yield call, item
            elif listing.complete and listing.begun_at - self.sent_at(call) >= give_up:
                yield call, None

    def _in_time(self, call: CallT, item: ItemT) -> bool:
        appeared_at, sent_at = self.appeared_at(item), self.sent_at(call)
        if appeared_at is None:
            return True
        if self.longest_call is not None and appeared_at > sent_at + self.longest_call + self.clock_tolerance:
            return False
        return appeared_at >= sent_at - self.clock_tolerance


async def read_pages(
    read: Callable[[int], Awaitable[Sequence[ItemT]]],
    is_last: Callable[[Sequence[ItemT]], bool],
    *,
    most_pages: int,
) -> Listing[ItemT]:
    """Read a list page by page, from page 1; complete if its last page was among them."""
    begun_at, items = datetime.now(UTC), list[ItemT]()
    for number in range(1, most_pages + 1):
        page = await read(number)
        items += page
        if is_last(page):
            return Listing(items, complete=True, begun_at=begun_at)
    return Listing(items, complete=False, begun_at=begun_at)


def growing_delay(times: int, *, longest: timedelta) -> timedelta:
    """How long to wait after so many attempts: 2 s doubled each time."""
    return min(longest, _FIRST_DELAY * (1 << min(times, _MOST_DOUBLINGS)))

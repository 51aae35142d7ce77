"""A few slots, given out in the order in which their owners began to wait."""

import asyncio
from dataclasses import dataclass
from uuid import UUID


@dataclass(slots=True)
class _Place:
    """An owner's place in the queue. `granted` None: the owner has given up, and may come again."""

    granted: asyncio.Future[None] | None
    kept_until: float = 0.0


class FairSlots:
    """`wait`: seconds after which whoever has no slot gives up. `keep`: for how long the place is kept then.

    Until then a slot is left for that owner: those who come back the moment they have had their turn cannot
    keep out who is told to come again later.
    """

    def __init__(self, slots: int, *, wait: float, keep: float) -> None:
        self._free, self._wait, self._keep = slots, wait, keep
        self._places: dict[UUID, _Place] = {}

    async def acquire(self, owner: UUID) -> None:
        """Wait for a slot; raises TimeoutError. An owner waits for one at a time."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._forget()
        self._places.setdefault(owner, _Place(granted)).granted = granted
        self._give_out()
        try:
            async with asyncio.timeout(self._wait):
                await granted
        except TimeoutError:
            self._give_up(owner, granted, keep=self._keep)
            raise
        except asyncio.CancelledError:
            self._give_up(owner, granted, keep=0.0)
            raise

    def release(self) -> None:
        self._free += 1
        self._give_out()

    def _give_up(self, owner: UUID, granted: asyncio.Future[None], *, keep: float) -> None:
        if owner not in self._places:  # it was granted at the very moment
            self.release()
            return
        loop, place = asyncio.get_running_loop(), self._places[owner]
        place.granted, place.kept_until = None, loop.time() + keep
        loop.call_later(keep, self._give_out)

    def _give_out(self) -> None:
        """Give free slots to those who wait; one is left for each that gave up before and may come again."""
        self._forget()
        kept = 0
        for owner, place in list(self._places.items()):
            if place.granted is None:
                kept += 1
            elif self._free > kept and not place.granted.done():  # it is when the owner is about to give up
                self._free -= 1
                del self._places[owner]
                place.granted.set_result(None)

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        for owner, place in list(self._places.items()):
            if place.granted is None and place.kept_until <= now:
                del self._places[owner]

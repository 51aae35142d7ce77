"""Work for the carrier on several things at the same time, so that slow ones hold up no others."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

import structlog

from sim_service.carrier.fair_share import share_of

log = structlog.get_logger(__name__)

_AT_ONCE = 8
"""Under way to the carrier at the same time; its rate limit holds in any case."""
_OF_ONE = 4
"""So many of one organisation are claimed at a time; with as many under way, others have the next place."""
_CLAIM_SECONDS = 1.0
"""What has fallen due meanwhile waits no longer for a free place to be used."""


class Owned(Protocol):
    @property
    def organization_id(self) -> UUID | None: ...


OwnedT = TypeVar("OwnedT", bound=Owned)
Claim = Callable[[int, Collection[UUID]], Awaitable[Sequence[OwnedT]]]
"""Takes at most so many of what is due, of no busy organisation."""
Handle = Callable[[OwnedT], Awaitable[bool]]
"""False if the carrier is unavailable."""


@dataclass(slots=True)
class Outcome:
    tried: int = 0
    available: bool = True


async def work_through(claim: Claim[OwnedT], handle: Handle[OwnedT]) -> Outcome:
    """Handle what is due until nothing is left or the carrier is unavailable.

    Each place that becomes free is given away at once: what is slow holds up no others.
    """
    under_way: dict[asyncio.Task[bool], UUID | None] = {}
    outcome = Outcome()
    try:
        while True:
            for item in await _claim(claim, under_way.values()) if outcome.available else ():
                under_way[asyncio.create_task(_handle(handle, item))] = item.organization_id
            if not under_way:
                return outcome
            done, _ = await asyncio.wait(
                under_way, timeout=_CLAIM_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                del under_way[task]
                outcome.tried += 1
                outcome.available = task.result() and outcome.available
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _claim(claim: Claim[OwnedT], owners: Collection[UUID | None]) -> Sequence[OwnedT]:
    """For the free places; `owners`: whose things are under way."""
    working = Counter(owner for owner in owners if owner is not None)
    busy = [owner for owner, number in working.items() if number >= _OF_ONE]
    free = _AT_ONCE - len(owners)
    return await claim(min(free, _OF_ONE), busy) if free else ()


async def _handle(handle: Handle[OwnedT], item: OwnedT) -> bool:
    """What fails here is tried again when its claim has run out."""
    try:
        with share_of(item.organization_id):
            return await handle(item)
    except Exception as error:
        log.warning("a message was left to a later round", item=repr(item), exc_info=error)
        return True

"""Organisations take turns at work that has many steps, so that nobody waits for all steps of another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sim_service.carrier.fair_share import Queues, share_of


class Slot:
    """One step at a time: `give_way` ends it, and returns when it is this work's turn again."""

    def __init__(self, own: asyncio.Lock, free: asyncio.Semaphore) -> None:
        self._own, self._free, self._held = own, free, False

    async def begin(self) -> None:
        await self._own.acquire()
        try:
            await self._free.acquire()
        except BaseException:
            self._own.release()
            raise
        self._held = True

    def end(self) -> None:
        if self._held:
            self._held = False
            self._own.release()  # first: its next step comes before the next ones of those that wait
            self._free.release()

    async def give_way(self) -> None:
        self.end()
        await self.begin()


class FairScheduler:
    """`parallel` steps at the same time, first come, first served.

    An organisation has one place in the queue, whatever number of tasks work for it. So a step waits for at
    most one of each other organisation.
    """

    def __init__(self, parallel: int) -> None:
        self._free, self._own = asyncio.Semaphore(parallel), Queues()

    @asynccontextmanager
    async def of(self, organization_id: UUID) -> AsyncIterator[Slot]:
        """A turn of the organisation, whose share of the carrier's allowance its steps use."""
        with self._own.member(str(organization_id)) as own, share_of(organization_id):
            slot = Slot(own, self._free)
            await slot.begin()
            try:
                yield slot
            finally:
                slot.end()

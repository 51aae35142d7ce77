"""Organisations take turns at work that has many steps, so that nobody waits for all steps of another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from fleet_kit.fair_semaphore import FairSemaphore
from sim_service.carrier.fair_share import share_of


class Slot:
    """One step at a time: `give_way` ends it, and returns when it is this work's turn again."""

    def __init__(self, permits: FairSemaphore, organization_id: UUID) -> None:
        self._permits, self._organization_id, self._held = permits, organization_id, False

    async def begin(self) -> None:
        await self._permits.acquire(self._organization_id)
        self._held = True

    def end(self) -> None:
        if self._held:
            self._held = False
            self._permits.release(self._organization_id)

    async def give_way(self) -> None:
        self.end()
        await self.begin()


class FairScheduler:
    """`parallel` steps at the same time, first come, first served.

    An organisation has one place in the queue, whatever number of tasks work for it. So a step waits for at
    most one of each other organisation.
    """

    def __init__(self, parallel: int) -> None:
        self._permits = FairSemaphore(parallel)

    @asynccontextmanager
    async def of(self, organization_id: UUID) -> AsyncIterator[Slot]:
        """A slot of the organisation, whose share of the carrier's allowance its steps use."""
        with share_of(organization_id):
            slot = Slot(self._permits, organization_id)
            await slot.begin()
            try:
                yield slot
            finally:
                slot.end()

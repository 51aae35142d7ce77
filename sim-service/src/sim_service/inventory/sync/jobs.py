"""Syncs all SIMs of the carrier, page by page, as a resumable job.

Pages are fetched in parallel and written one by one, each in a transaction of its own together with a note
that it is done: a restarted job continues with the missing pages. A SIM that no page held may have moved
among the pages while they were read, so it is requested by itself before it is marked as missing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import Priority, SimPage
from sim_service.inventory.sims.service import SimService, UpdateCounts
from sim_service.inventory.sync.repository import SyncPageRepository
from sim_service.inventory.sync.service import MISSING_ERRORS
from sim_service.work.failures import SKIPPABLE_ERRORS, failure_counter
from sim_service.work.jobs.handle import JobLease
from sim_service.work.jobs.models import Job, JobKind
from sim_service.work.jobs.service import JobService

_BATCH = 100


class FullSimSync:
    """The handler of sync jobs.

    `parallel`: pages in flight; `owner_of_new`: who gets SIMs found new; `quotas_outdated`: whether the
    list that was read holds quota states that differ from the stored ones.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        parallel: int,
        owner_of_new: UUID | None,
        quotas_outdated: Callable[[AsyncSession], Awaitable[bool]],
    ) -> None:
        self._carrier, self._parallel, self._owner_of_new = carrier, parallel, owner_of_new
        self._quotas_outdated = quotas_outdated

    async def run(self, lease: JobLease) -> None:
        async with lease.sessions() as session:
            done = await SyncPageRepository(session, lease.id).numbers()
        await self._pages(lease, done)
        await self._verify_unlisted(lease)
        async with lease.sessions.begin() as session:
            await lease.lock_job(session)
            await SyncPageRepository(session, lease.id).delete()
            if await self._quotas_outdated(session):
                await JobService(session).request(JobKind.REFRESH_QUOTAS)

    async def _pages(self, lease: JobLease, done: set[int]) -> None:
        plan = _PagePlan(done)
        first = next(plan.numbers)
        plan.learn(await self._page(lease, first), self._carrier.page_size)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._parallel):
                    group.create_task(self._follow(lease, plan))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _follow(self, lease: JobLease, plan: "_PagePlan") -> None:
        for number in plan.numbers:
            plan.learn(await self._page(lease, number), self._carrier.page_size)

    async def _page(self, lease: JobLease, number: int) -> SimPage:
        page = await self._carrier.list_sims(number, priority=Priority.LISTING)
        async with lease.sessions.begin() as session:
            job = await lease.lock_job(session)
            applied = await SimService(session, EVERYTHING).update_from_carrier(
                page.sims, self._carrier.name, owner_of_new=self._owner_of_new
            )
            _count(job, page, applied)
            if page.raw_count == self._carrier.page_size or number <= (page.pages or 0):
                iccids = [sim.iccid for sim in page.sims]
                await SyncPageRepository(session, lease.id).add(number, iccids)
        return page

    async def _verify_unlisted(self, lease: JobLease) -> None:
        """Request each SIM that no page held; what the carrier no longer has for us is marked as missing."""
        after = ""
        while True:
            async with lease.sessions() as session:
                listed = SyncPageRepository(session, lease.id).listed_iccids()
                batch = await SimService(session, EVERYTHING).unlisted(
                    self._carrier.name, listed, after=after, limit=_BATCH
                )
            if not batch:
                return
            for iccid in batch:
                await self._verify(lease, iccid)
            after = batch[-1]

    async def _verify(self, lease: JobLease, iccid: str) -> None:
        facts, failure = [], None
        try:
            facts = [await self._carrier.get_sim(iccid, priority=Priority.BACKGROUND)]
        except SKIPPABLE_ERRORS as error:
            failure = error
        async with lease.sessions.begin() as session:
            job = await lease.lock_job(session)
            sims = SimService(session, EVERYTHING)
            if failure is None:
                await sims.update_from_carrier(facts, self._carrier.name)
            elif not isinstance(failure, MISSING_ERRORS):
                job.count(**{failure_counter(failure): 1})
            elif await sims.mark_missing(iccid):
                job.count(missing=1)


class _PagePlan:
    """The pages still to be read; how many there are is only known once the first answers come."""

    def __init__(self, done: set[int]) -> None:
        self._last: int | None = None
        self.numbers = self._upcoming(done)

    def _upcoming(self, done: set[int]) -> Iterator[int]:
        for number in count(1):
            if self._last is not None and number > self._last:
                return
            if number not in done:
                yield number

    def learn(self, page: SimPage, page_size: int) -> None:
        """Take the number of pages from an answer, or assume after a full page that there is another."""
        guess = page.page + 1 if page.raw_count >= page_size else page.page
        self._last = max(self._last or 1, page.pages if page.pages is not None else guess)


def _count(job: Job, page: SimPage, applied: UpdateCounts) -> None:
    job.total = page.total
    job.done += page.raw_count
    job.count(
        created=applied.created, updated=applied.updated, unchanged=applied.unchanged, skipped=page.skipped
    )
    job.result = {**job.result, "pages": page.pages}

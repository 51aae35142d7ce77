"""Sync: every SIM of the carrier page by page as a resumable job, and one SIM at once.

Pages are fetched in parallel and written one by one, each in a transaction of its own together with a note
that it is done: a restarted job goes on with the pages that are missing. A SIM that no page held may have
moved between pages while they were read, so it is asked for by itself before it counts as gone.
"""

import asyncio
from collections.abc import Iterator
from itertools import count
from uuid import UUID

import structlog

from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierForbidden, CarrierSimNotFound
from sim_service.carrier.facts import Priority, SimPage
from sim_service.jobs.models import Job, JobKind
from sim_service.jobs.passing import PASSED_OVER, outcome
from sim_service.jobs.runner import Held
from sim_service.jobs.service import JobService, listed_by
from sim_service.quotas.service import QuotaService
from sim_service.sims.models import Sim
from sim_service.sims.service import Applied, SimService

log = structlog.get_logger(__name__)
_BATCH = 100
_NOT_OURS = (CarrierSimNotFound, CarrierForbidden)
"""The carrier no longer has the SIM, or has it in another account."""


class SyncOfAll:
    """The handler of sync jobs. `parallel`: pages in flight; `owner_of_new`: who gets SIMs found new."""

    def __init__(self, carrier: Carrier, *, parallel: int, owner_of_new: UUID | None) -> None:
        self._carrier, self._parallel, self._owner_of_new = carrier, parallel, owner_of_new

    async def run(self, held: Held) -> None:
        """Do what is left of the job."""
        async with held.sessions() as session:
            done = await held.pages(session)
        await self._pages(held, done)
        await self._gone(held)
        async with held.sessions.begin() as session:
            await held.in_transaction(session)
            await held.drop_pages(session)
            if await QuotaService.outdated_exist(session):
                await JobService(session).request(JobKind.REFRESH_QUOTAS)

    async def _pages(self, held: Held, done: set[int]) -> None:
        plan = _Plan(done)
        first = next(plan.numbers)
        plan.learn(await self._page(held, first), self._carrier.page_size)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._parallel):
                    group.create_task(self._follow(held, plan))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _follow(self, held: Held, plan: "_Plan") -> None:
        for number in plan.numbers:
            plan.learn(await self._page(held, number), self._carrier.page_size)

    async def _page(self, held: Held, number: int) -> SimPage:
        page = await self._carrier.list_sims(number, priority=Priority.LISTING)
        async with held.sessions.begin() as session:
            job = await held.in_transaction(session)
            applied = await SimService(session, EVERYTHING).take_over(
                page.sims, self._carrier.name, owner_of_new=self._owner_of_new
            )
            _count(job, page, applied)
            if page.raw_count == self._carrier.page_size or number <= (page.pages or 0):
                await held.page_done(session, number, [sim.iccid for sim in page.sims])
        return page

    async def _gone(self, held: Held) -> None:
        """Ask for each SIM that no page held; what it no longer has for us is marked as missing.

        One that it will not tell of stays as it is.
        """
        after = ""
        while True:
            async with held.sessions() as session:
                batch = await SimService(session, EVERYTHING).unlisted(
                    self._carrier.name, listed_by(held.id), after=after, limit=_BATCH
                )
            if not batch:
                return
            for iccid in batch:
                await self._verify(held, iccid)
            after = batch[-1]

    async def _verify(self, held: Held, iccid: str) -> None:
        facts, failure = [], None
        try:
            facts = [await self._carrier.get_sim(iccid, priority=Priority.BACKGROUND)]
        except PASSED_OVER as error:
            failure = error
        async with held.sessions.begin() as session:
            job = await held.in_transaction(session)
            sims = SimService(session, EVERYTHING)
            if failure is None:
                await sims.take_over(facts, self._carrier.name)
            elif not isinstance(failure, _NOT_OURS):
                job.count(**{outcome(failure): 1})
            elif await sims.mark_missing(iccid):
                job.count(missing=1)


class _Plan:
    """Which pages are still to be read; the number of pages is learnt on the way."""

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
        """Take the number of pages that an answer told, or guess from a full page that there is another."""
        guess = page.page + 1 if page.raw_count >= page_size else page.page
        self._last = max(self._last or 1, page.pages if page.pages is not None else guess)


class SyncOfOne:
    """Brings one SIM up to the carrier while somebody waits. `owner_of_new`: who gets a SIM not yet known."""

    def __init__(
        self, sessions: Sessions, scope: Scope, carrier: Carrier, *, owner_of_new: UUID | None = None
    ) -> None:
        self._sessions, self._scope, self._carrier = sessions, scope, carrier
        self._owner_of_new = owner_of_new

    async def check(self, iccid: str) -> None:
        """Raise NotFound unless the SIM is in scope; a platform administrator may fetch one not yet known."""
        if self._scope != EVERYTHING:
            async with self._sessions() as session:
                await SimService(session, self._scope).get(iccid)

    async def run(self, iccid: str) -> Sim:
        """The SIM as the carrier has it now; raises the carrier's errors."""
        try:
            facts = await self._carrier.get_sim(iccid, priority=Priority.PEOPLE)
        except _NOT_OURS:
            async with self._sessions.begin() as session:
                sims = SimService(session, self._scope)
                await sims.mark_missing(iccid)
                return await sims.get(iccid)
        async with self._sessions.begin() as session:
            sims = SimService(session, self._scope)
            await sims.take_over([facts], self._carrier.name, owner_of_new=self._owner_of_new)
            sim = await sims.get(iccid, for_update=True)
            sim.vouch()
            return sim


def _count(job: Job, page: SimPage, applied: Applied) -> None:
    job.total = page.total
    job.done += page.raw_count
    job.count(
        created=applied.created, updated=applied.updated, unchanged=applied.unchanged, skipped=page.skipped
    )
    job.result = {**job.result, "pages": page.pages}

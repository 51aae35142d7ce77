"""The handler of bulk jobs: begins the SIMs batch by batch, then looks until each is settled.

While it only waits, the job is put off and holds no worker. When it is ended, what was not begun stays
undone; what was begun is followed to its end all the same, so that its result is true.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import FleetError
from sim_service.bulk.steps import Outcome, Step
from sim_service.job_items.models import IN_DOUBT, OVER, ItemState, JobItem
from sim_service.job_items.repository import JobItemRepository
from sim_service.jobs.models import Job
from sim_service.jobs.runner import Held, JobCancelled, PutOff

_BATCH = 100
_LOOK_SECONDS = (1.0, 30.0)

Steps = Callable[[Mapping[str, Any]], Step]
"""The step of a job's parameters."""


class BulkWork:
    """Works on bulk jobs. `follow`: seconds after which what is not settled stays unknown."""

    def __init__(self, steps: Steps, *, follow: float) -> None:
        self._steps, self._follow = steps, timedelta(seconds=follow)

    async def run(self, held: Held) -> None:
        """Do what is left of the job; raises PutOff while something is open."""
        step = self._steps(held.params)
        go_on = True
        try:
            while (before := await self._begin(held, step)) is not None:
                await self._look(held, step, go_on=True, after=before)
        except JobCancelled:
            go_on = False
            async with held.sessions.begin() as session:
                await _cancel_pending(session, held)
        if await self._look(held, step, go_on=go_on):
            raise PutOff(await _pause(held))
        if not go_on:
            raise JobCancelled

    async def _begin(self, held: Held, step: Step) -> int | None:
        """Begin the next batch in one transaction; the number before its first item, None without one."""
        async with held.sessions.begin() as session:
            job = await held.in_transaction(session)
            items = await _items(session, held).some(held.id, [ItemState.PENDING], after=0, limit=_BATCH)
            for item in sorted(items, key=lambda one: one.iccid):  # the order in which SIMs are locked
                item.attempts, item.claimed_by, item.claimed_at = 1, held.worker, datetime.now(UTC)
                try:
                    outcome = await step.begin(session, held, item.iccid)
                except FleetError as error:
                    outcome = Outcome.failed(error)
                _take(item, outcome)
            await _count(session, held, job)
        return items[0].number - 1 if items else None

    async def _look(self, held: Held, step: Step, *, go_on: bool, after: int = 0) -> bool:
        """Look at what was begun behind a number and is not over; whether something still is not."""
        open_ones = False
        while True:
            async with held.sessions() as session:
                items = await _items(session, held).some(held.id, IN_DOUBT, after=after, limit=_BATCH)
            if not items:
                return open_ones
            looked = await step.look(held, items, go_on=go_on)
            async with held.sessions.begin() as session:
                open_ones |= await self._note(session, held, looked, after, go_on)
            after = items[-1].number

    async def _note(
        self, session: AsyncSession, held: Held, looked: Mapping[int, Outcome], after: int, go_on: bool
    ) -> bool:
        job = await held.in_transaction(session, finish_part=True)
        items = await _items(session, held).some(held.id, IN_DOUBT, after=after, limit=_BATCH)
        for item in items:
            if (outcome := looked.get(item.number)) is not None:
                _take(item, outcome)
            elif not go_on and item.result is None:
                item.take(ItemState.CANCELLED, None)
        late = datetime.now(UTC) - self._follow
        open_items = [item for item in items if item.state not in OVER]
        for item in open_items:
            if item.claimed_at is not None and item.claimed_at < late:
                item.state = ItemState.UNKNOWN
        await _count(session, held, job)
        return any(item.claimed_at is None or item.claimed_at >= late for item in open_items)


def _take(item: JobItem, outcome: Outcome) -> None:
    item.error_code, item.error = outcome.error_code, outcome.error
    item.take(outcome.state, outcome.result)


def _items(session: AsyncSession, held: Held) -> JobItemRepository:
    return JobItemRepository(session, held.scope)


async def _cancel_pending(session: AsyncSession, held: Held) -> None:
    job = await held.in_transaction(session, finish_part=True)
    await _items(session, held).cancel_pending(held.id)
    await _count(session, held, job)


async def _count(session: AsyncSession, held: Held, job: Job) -> None:
    await session.flush()
    counts = await _items(session, held).counts(held.id)
    job.result = counts
    job.done = sum(number for state, number in counts.items() if state in OVER)


async def _pause(held: Held) -> float:
    """Seconds until the next look: a tenth of the time that the job has taken so far."""
    async with held.sessions.begin() as session:
        job = await held.in_transaction(session, finish_part=True)
        started = job.started_at or datetime.now(UTC)
    shortest, longest = _LOOK_SECONDS
    return min(longest, max(shortest, (datetime.now(UTC) - started).total_seconds() / 10))

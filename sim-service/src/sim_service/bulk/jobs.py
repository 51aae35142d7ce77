"""Handler of bulk jobs: starts the SIMs batch by batch, then polls until each is final.

While it only waits, the job is deferred and occupies no worker. When it is cancelled, what was not started
stays undone; what was started is followed to its end, so that its result is true.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import FleetError
from sim_service.bulk.steps import Step, StepResult, StepResults
from sim_service.work.job_items.models import IN_DOUBT, OVER, ItemState, JobItem
from sim_service.work.job_items.service import JobItemService
from sim_service.work.jobs.handle import Deferred, JobCancelled, JobLease
from sim_service.work.jobs.models import Job

_BATCH = 100
_POLL_SECONDS = (1.0, 30.0)

Steps = Callable[[Mapping[str, Any]], Step]
"""Makes the step from the parameters of a job."""


class BulkJobs:
    """`follow`: seconds without progress after which items that are still open become UNKNOWN."""

    def __init__(self, steps: Steps, *, follow: float) -> None:
        self._steps, self._follow = steps, timedelta(seconds=follow)

    async def run(self, lease: JobLease) -> None:
        """Continue the job; raises Deferred while items are open."""
        step = self._steps(lease.params)
        may_start = True
        try:
            while (before := await self._start(lease, step)) is not None:
                await self._poll(lease, step, may_start=True, after=before)
        except JobCancelled:
            may_start = False
            async with lease.sessions.begin() as session:
                job = await lease.lock_job(session, finish_part=True)
                await _change_state(session, lease, job, ItemState.PENDING, ItemState.CANCELLED)
        if await self._poll(lease, step, may_start=may_start) and not await self._is_stalled(lease):
            raise Deferred(await _poll_delay(lease))
        if not may_start:
            raise JobCancelled

    async def _start(self, lease: JobLease, step: Step) -> int | None:
        """Start the next batch in one transaction; the number before its first item, None without one."""
        async with lease.sessions.begin() as session:
            job = await lease.lock_job(session)
            items = await _items(session, lease).in_states(
                lease.id, [ItemState.PENDING], after=0, limit=_BATCH
            )
            before = _states(items)
            for item in sorted(items, key=lambda one: one.iccid):  # the order in which SIMs are locked
                item.claimed_at = datetime.now(UTC)
                try:
                    result = await step.start(session, lease, item.iccid)
                except FleetError as error:
                    result = StepResult.failed(error)
                _take(item, result)
            _count(job, before, _states(items))
        return items[0].number - 1 if items else None

    async def _poll(self, lease: JobLease, step: Step, *, may_start: bool, after: int = 0) -> bool:
        """Poll the started items behind a number; whether some are still open."""
        open_ones = False
        while True:
            async with lease.sessions() as session:
                items = await _items(session, lease).in_states(lease.id, IN_DOUBT, after=after, limit=_BATCH)
            if not items:
                return open_ones
            results = await step.poll(lease, items, may_start=may_start)
            async with lease.sessions.begin() as session:
                open_ones |= await self._record(session, lease, results, after, may_start)
            after = items[-1].number

    async def _record(
        self, session: AsyncSession, lease: JobLease, results: StepResults, after: int, may_start: bool
    ) -> bool:
        job = await lease.lock_job(session, finish_part=True)
        items = await _items(session, lease).in_states(lease.id, IN_DOUBT, after=after, limit=_BATCH)
        before = _states(items)
        for item in items:
            if (result := results.get(item.number)) is not None:
                _take(item, result)
            elif not may_start and item.result is None:
                item.take(ItemState.CANCELLED, None)
        _count(job, before, _states(items))
        return any(item.state not in OVER for item in items)

    async def _is_stalled(self, lease: JobLease) -> bool:
        """Whether the job made no progress for too long; its open items are UNKNOWN then."""
        async with lease.sessions.begin() as session:
            job = await lease.lock_job(session, finish_part=True)
            last = await _items(session, lease).last_progress(lease.id)
            if last is not None and last >= datetime.now(UTC) - self._follow:
                return False
            await _change_state(session, lease, job, ItemState.WORKING, ItemState.UNKNOWN)
            return True


def _take(item: JobItem, result: StepResult) -> None:
    item.error_code, item.error = result.error_code, result.error
    item.take(result.state, result.result)


def _items(session: AsyncSession, lease: JobLease) -> JobItemService:
    return JobItemService(session, lease.scope)


async def _change_state(
    session: AsyncSession, lease: JobLease, job: Job, state: ItemState, into: ItemState
) -> None:
    number = await _items(session, lease).change_state(lease.id, state, into)
    _count(job, Counter({state: number}), Counter({into: number}))


def _states(items: Sequence[JobItem]) -> Counter[str]:
    return Counter(item.state for item in items)


def _count(job: Job, before: Counter[str], after: Counter[str]) -> None:
    """Update the job's counters by the items that changed, so that not all have to be counted."""
    counts = Counter[str](job.result)
    counts.subtract(before)
    counts.update(after)
    job.result = {str(state): number for state, number in counts.items() if number > 0}
    job.done = sum(number for state, number in counts.items() if state in OVER)


async def _poll_delay(lease: JobLease) -> float:
    """Seconds until the next poll: a tenth of the time that the job has taken so far."""
    async with lease.sessions.begin() as session:
        job = await lease.lock_job(session, finish_part=True)
        started = job.started_at or datetime.now(UTC)
    shortest, longest = _POLL_SECONDS
    return min(longest, max(shortest, (datetime.now(UTC) - started).total_seconds() / 10))

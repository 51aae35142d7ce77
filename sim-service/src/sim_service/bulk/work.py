"""The handler of bulk jobs: begins the SIMs batch by batch, then looks until each is settled.

While it only waits, the job is put off and holds no worker. When it is ended, what was not begun stays
undone; what was begun is followed to its end all the same, so that its result is true.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
    """Works on bulk jobs. `follow`: seconds without a SIM settled after which what is open stays unknown."""

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
        if await self._look(held, step, go_on=go_on) and not await self._given_up(held):
            raise PutOff(await _pause(held))
        if not go_on:
            raise JobCancelled

    async def _begin(self, held: Held, step: Step) -> int | None:
        """Begin the next batch in one transaction; the number before its first item, None without one."""
        async with held.sessions.begin() as session:
            job = await held.in_transaction(session)
            items = await _items(session, held).some(held.id, [ItemState.PENDING], after=0, limit=_BATCH)
            before = _states(items)
            for item in sorted(items, key=lambda one: one.iccid):  # the order in which SIMs are locked
                item.claimed_at = datetime.now(UTC)
                try:
                    outcome = await step.begin(session, held, item.iccid)
                except FleetError as error:
                    outcome = Outcome.failed(error)
                _take(item, outcome)
            _count(job, before, _states(items))
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
        before = _states(items)
        for item in items:
            if (outcome := looked.get(item.number)) is not None:
                _take(item, outcome)
            elif not go_on and item.result is None:
                item.take(ItemState.CANCELLED, None)
        _count(job, before, _states(items))
        return any(item.state not in OVER for item in items)

    async def _given_up(self, held: Held) -> bool:
        """Whether the job has stood still for so long that what is open is left as it is."""
        async with held.sessions.begin() as session:
            job = await held.in_transaction(session, finish_part=True)
            last = await _items(session, held).last_progress(held.id)
            if last is not None and last >= datetime.now(UTC) - self._follow:
                return False
            await _turn(session, held, job, ItemState.WORKING, ItemState.UNKNOWN)
            return True


def _take(item: JobItem, outcome: Outcome) -> None:
    item.error_code, item.error = outcome.error_code, outcome.error
    item.take(outcome.state, outcome.result)


def _items(session: AsyncSession, held: Held) -> JobItemRepository:
    return JobItemRepository(session, held.scope)


async def _cancel_pending(session: AsyncSession, held: Held) -> None:
    job = await held.in_transaction(session, finish_part=True)
    await _turn(session, held, job, ItemState.PENDING, ItemState.CANCELLED)


async def _turn(session: AsyncSession, held: Held, job: Job, state: ItemState, into: ItemState) -> None:
    number = await _items(session, held).turn(held.id, state, into)
    _count(job, Counter({state: number}), Counter({into: number}))


def _states(items: Sequence[JobItem]) -> Counter[str]:
    return Counter(item.state for item in items)


def _count(job: Job, before: Counter[str], after: Counter[str]) -> None:
    """Move the job's counters along with some of its items, so that nobody counts all of them."""
    counts = Counter[str](job.result)
    counts.subtract(before)
    counts.update(after)
    job.result = {str(state): number for state, number in counts.items() if number > 0}
    job.done = sum(number for state, number in counts.items() if state in OVER)


async def _pause(held: Held) -> float:
    """Seconds until the next look: a tenth of the time that the job has taken so far."""
    async with held.sessions.begin() as session:
        job = await held.in_transaction(session, finish_part=True)
        started = job.started_at or datetime.now(UTC)
    shortest, longest = _LOOK_SECONDS
    return min(longest, max(shortest, (datetime.now(UTC) - started).total_seconds() / 10))

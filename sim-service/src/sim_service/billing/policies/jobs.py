"""The handlers of the jobs that evaluate policies: all that are enabled, or one."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from fleet_kit.database import Sessions
from sim_service.billing.policies.evaluation import Evaluator
from sim_service.billing.policies.repository import PolicyRepository
from sim_service.work.failures import isolate_failure
from sim_service.work.fair_scheduler import FairScheduler
from sim_service.work.jobs.handle import JobLease

log = structlog.get_logger(__name__)

STEPS_AT_ONCE = 4
"""Steps of a worker's evaluations; each asks the carrier for one SIM, or buys for a few."""


@dataclass(frozen=True, slots=True)
class _End:
    """What ended the evaluation of an organisation's policies, and how many of them were left."""

    failure: Exception
    left: int


class PolicyJobs:
    """A job that is taken up again evaluates anew: what was bought before is seen to be under way.

    Organisations take turns, step by step: many policies of one, or those that fail or wait long for the
    carrier, keep no other waiting.
    """

    def __init__(self, sessions: Sessions, evaluator: Evaluator) -> None:
        self._sessions, self._evaluator = sessions, evaluator
        self._scheduler = FairScheduler(STEPS_AT_ONCE)

    async def run_all(self, lease: JobLease) -> None:
        """Evaluate every enabled policy that the job covers; one that fails is counted and passed over.

        So are those that are left of its organisation, if they would fail too.
        Raises what kept all organisations from being evaluated, such as a carrier that is unavailable.
        """
        async with self._sessions() as session:
            policies = await PolicyRepository(session, lease.scope).enabled()
        total = sum(map(len, policies.values()))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._evaluate_each(lease, owner, mine, total))
                    for owner, mine in policies.items()
                ]
        except ExceptionGroup as ended:
            raise ended.exceptions[0] from None
        ends = [end for task in tasks if (end := task.result()) is not None]
        if ends and len(ends) == len(tasks):
            raise ends[0].failure
        if ends:
            left = sum(end.left for end in ends)
            await self._done(lease, {"failed": left}, policies=left, of=total)

    async def run_one(self, lease: JobLease) -> None:
        assert lease.organization_id is not None, "a policy is of one organisation"
        proposal = lease.params.get("proposal_id")
        approved = UUID(proposal) if proposal else None
        async with self._scheduler.of(lease.organization_id) as slot:
            counts = await self._evaluator.evaluate(
                UUID(lease.params["policy_id"]), approved, give_way=slot.give_way
            )
        await self._done(lease, counts, of=1)

    async def _evaluate_each(
        self, lease: JobLease, owner: UUID, policies: Sequence[UUID], total: int
    ) -> _End | None:
        """Evaluate the policies of one organisation; what ended that, if it would end its others too."""
        async with self._scheduler.of(owner) as slot:
            for number, policy_id in enumerate(policies):
                counts, failure = Counter(failed=1), None
                try:
                    with isolate_failure("evaluating a policy", policy_id=str(policy_id)):
                        counts = await self._evaluator.evaluate(policy_id, give_way=slot.give_way)
                except Exception as error:
                    # Whatever it is, the other organisations are evaluated.
                    log.warning("not evaluated", policy_id=str(policy_id), exc_info=error)
                    failure = error
                if failure is not None:
                    return _End(failure, left=len(policies) - number)
                await self._done(lease, counts, of=total)
                await slot.give_way()
        return None

    async def _done(self, lease: JobLease, counts: Mapping[str, int], *, policies: int = 1, of: int) -> None:
        async with self._sessions.begin() as session:
            job = await lease.lock_job(session)
            job.done, job.total = job.done + policies, of
            job.count(**counts)

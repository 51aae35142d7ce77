"""The handlers of the jobs that evaluate policies: all that are enabled, or one."""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from fleet_kit.database import Sessions
from sim_service.billing.policies.evaluation import Evaluator
from sim_service.billing.policies.repository import PolicyRepository
from sim_service.work.failures import isolate_failure
from sim_service.work.jobs.handle import JobLease


class PolicyJobs:
    """A job that is taken up again evaluates anew: what was bought before is seen to be under way."""

    def __init__(self, sessions: Sessions, evaluator: Evaluator) -> None:
        self._sessions, self._evaluator = sessions, evaluator

    async def run_all(self, lease: JobLease) -> None:
        """Evaluate every enabled policy that the job covers; one that fails is counted and passed over."""
        async with self._sessions() as session:
            policies = await PolicyRepository(session, lease.scope).enabled()
        for policy_id in policies:
            counts = Counter(failed=1)
            with isolate_failure("evaluating a policy", policy_id=str(policy_id)):
                counts = await self._evaluator.evaluate(policy_id)
            await self._done(lease, counts, of=len(policies))

    async def run_one(self, lease: JobLease) -> None:
        proposal = lease.params.get("proposal_id")
        approved = UUID(proposal) if proposal else None
        counts = await self._evaluator.evaluate(UUID(lease.params["policy_id"]), approved)
        await self._done(lease, counts, of=1)

    async def _done(self, lease: JobLease, counts: Mapping[str, int], *, of: int) -> None:
        async with self._sessions.begin() as session:
            job = await lease.lock_job(session)
            job.done, job.total = job.done + 1, of
            job.count(**counts)

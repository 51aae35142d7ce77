"""The handlers of the jobs that evaluate policies: all that are enabled, or one."""

from collections.abc import Mapping
from uuid import UUID

from fleet_kit.database import Sessions
from sim_service.apart import apart
from sim_service.jobs.runner import Held
from sim_service.policies.evaluation import Evaluator
from sim_service.policies.repository import PolicyRepository


class PolicyJobs:
    """A job that is taken up again evaluates anew: what was bought before is seen to be under way."""

    def __init__(self, sessions: Sessions, evaluator: Evaluator) -> None:
        self._sessions, self._evaluator = sessions, evaluator

    async def run_all(self, held: Held) -> None:
        """Evaluate every enabled policy that the job covers; one that fails is counted and passed over."""
        async with self._sessions() as session:
            policies = await PolicyRepository(session, held.scope).enabled()
        for policy_id in policies:
            counts = {"failed": 1}
            with apart("evaluating a policy", policy_id=str(policy_id)):
                counts = (await self._evaluator.evaluate(policy_id)).counts
            await self._done(held, counts, of=len(policies))

    async def run_one(self, held: Held) -> None:
        """Evaluate the job's policy, or carry out its approved proposal."""
        proposal = held.params.get("proposal_id")
        approved = UUID(proposal) if proposal else None
        tally = await self._evaluator.evaluate(UUID(held.params["policy_id"]), approved)
        await self._done(held, tally.counts, of=1)

    async def _done(self, held: Held, counts: Mapping[str, int], *, of: int) -> None:
        async with self._sessions.begin() as session:
            job = await held.in_transaction(session)
            job.done, job.total = job.done + 1, of
            job.count(**counts)

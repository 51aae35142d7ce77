"""The handlers of the jobs that evaluate policies: all that are enabled, or one."""

from collections.abc import Sequence
from uuid import UUID

from fleet_kit.database import Sessions
from sim_service.jobs.runner import Held
from sim_service.policies.evaluation import Evaluator
from sim_service.policies.repository import PolicyRepository


class PolicyJobs:
    """A job that is taken up again evaluates anew: what was bought before is seen to be under way."""

    def __init__(self, sessions: Sessions, evaluator: Evaluator) -> None:
        self._sessions, self._evaluator = sessions, evaluator

    async def run_all(self, held: Held) -> None:
        """Evaluate every enabled policy that the job covers."""
        async with self._sessions() as session:
            policies = await PolicyRepository(session, held.scope).enabled()
        await self._evaluate(held, policies, None)

    async def run_one(self, held: Held) -> None:
        """Evaluate the job's policy, or carry out its approved proposal."""
        proposal = held.params.get("proposal_id")
        await self._evaluate(held, [UUID(held.params["policy_id"])], UUID(proposal) if proposal else None)

    async def _evaluate(self, held: Held, policies: Sequence[UUID], proposal: UUID | None) -> None:
        for policy_id in policies:
            tally = await self._evaluator.evaluate(policy_id, proposal)
            async with self._sessions.begin() as session:
                job = await held.in_transaction(session)
                job.done, job.total = job.done + 1, len(policies)
                job.count(**tally.counts)

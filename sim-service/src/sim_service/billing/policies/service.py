"""The rules of policies: written by their organisation, evaluated by the worker, approved by admins."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict, NotFound
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.limits import Limits
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal
from fleet_kit.scope import Scope
from sim_service.billing.policies.limits import POLICIES
from sim_service.billing.policies.models import Policy, PolicyDecision, Proposal, ProposalState
from sim_service.billing.policies.repository import PolicyRepository
from sim_service.billing.topups.queries import spent_in_month
from sim_service.inventory.sims.service import SimService, not_found
from sim_service.work.jobs.models import Job, JobKind
from sim_service.work.jobs.service import JobService

PolicyWithSpending = tuple[Policy, Decimal]
"""A policy, and what it has spent, or may yet have, in this UTC month."""


class PolicyService:
    """Policies as a scope sees them. `limits`: of policies, and of the jobs that evaluate them."""

    def __init__(self, session: AsyncSession, scope: Scope, limits: Limits) -> None:
        self._session, self._scope, self._limits = session, scope, limits
        self._policies = PolicyRepository(session, scope)

    async def create(self, values: dict[str, Any], user: Principal) -> PolicyWithSpending:
        """A new policy of the user's organisation.

        Raises NotFound naming SIMs that it does not own, Conflict where it has too many policies.
        """
        await self._limits.take(user.organization_id, POLICIES)
        await self._check(values, user.organization_id)
        now = datetime.now(UTC)
        policy = Policy(
            **values,
            organization_id=user.organization_id,
            created_by=user.user_id,
            created_at=now,
            updated_at=now,
        )
        self._policies.add(policy)
        await self._session.flush()
        return policy, Decimal(0)

    async def get(self, policy_id: UUID, *, for_update: bool = False, deleted: bool = False) -> Policy:
        """One policy; `deleted`: also one that was taken out of use. Raises NotFound."""
        policy = await self._policies.get(policy_id, for_update=for_update, deleted=deleted)
        if policy is None:
            raise NotFound("no such policy", code="POLICY_NOT_FOUND")
        return policy

    async def with_spending(self, policy: Policy) -> PolicyWithSpending:
        return policy, await spent_in_month(self._session, policy.id, datetime.now(UTC))

    async def find(self, paging: PageParams) -> PageResult[PolicyWithSpending]:
        found = await self._policies.page(paging)
        items = [await self.with_spending(policy) for policy in found.items]
        return PageResult(items, found.total, found.next_cursor)

    async def change(self, policy: Policy, values: dict[str, Any]) -> PolicyWithSpending:
        """Change a policy that is locked; raises NotFound naming SIMs that its organisation does not own."""
        await self._check(values, policy.organization_id)
        for name, value in values.items():
            setattr(policy, name, value)
        policy.updated_at = datetime.now(UTC)
        await self._session.flush()
        return await self.with_spending(policy)

    async def delete(self, policy: Policy) -> None:
        """Take a policy that is locked out of use; what it bought and decided stays, if there is any."""
        await self._limits.give_back(policy.organization_id, POLICIES)
        if policy.evaluated_at is None and not await self._policies.has_decided(policy.id):
            await self._session.delete(policy)  # whoever makes and deletes policies in a loop leaves none
            return
        policy.enabled, policy.deleted_at = False, datetime.now(UTC)
        pending = await self._policies.pending(policy.id)
        if pending is not None:
            pending.decide(ProposalState.EXPIRED, None)

    async def _check(self, values: Mapping[str, Any], organization_id: UUID) -> None:
        wanted = set(values.get("iccids", ()))
        owned = await SimService(self._session, Scope(organization_id)).some(sorted(wanted))
        if unknown := wanted - {sim.iccid for sim in owned}:
            raise not_found(sorted(unknown))

    async def evaluate(self, policy: Policy, user: Principal, proposal: Proposal | None = None) -> Job:
        """Have the worker evaluate a policy now; raises Conflict for one that is not enabled."""
        if not policy.enabled:
            raise Conflict("the policy is not enabled", code="POLICY_DISABLED")
        params = {"policy_id": str(policy.id)} | ({"proposal_id": str(proposal.id)} if proposal else {})
        return await JobService(self._session, self._scope, self._limits).request(
            JobKind.EVALUATE_POLICY,
            user.user_id,
            organization_id=policy.organization_id,
            params=params,
        )

    async def proposals(self, policy: Policy, state: str | None, paging: PageParams) -> PageResult[Proposal]:
        return await self._policies.proposals(policy.id, state, paging)

    async def proposal(self, policy: Policy, proposal_id: UUID) -> Proposal:
        """One of its proposals, locked; raises NotFound."""
        proposal = await self._policies.proposal(policy.id, proposal_id, for_update=True)
        if proposal is None:
            raise NotFound("no such proposal", code="PROPOSAL_NOT_FOUND")
        return proposal

    async def approve(self, policy: Policy, proposal: Proposal, user: Principal) -> Job:
        proposal.decide(ProposalState.APPROVED, user.user_id)
        return await self.evaluate(policy, user, proposal)

    async def decisions(
        self, policy: Policy, wanted: Mapping[str, Any], paging: PageParams
    ) -> PageResult[PolicyDecision]:
        """Decisions of a policy; `wanted`: columns with the values that they must have."""
        return await self._policies.decisions(policy.id, wanted, paging)

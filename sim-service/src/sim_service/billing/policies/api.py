"""HTTP: policies, their proposals and their decisions."""

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Response

from fleet_kit.app import API
from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.idempotency import IdempotencyKey
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentOperator, CurrentUser, Role
from sim_service.billing.policies.limits import PolicyLimits
from sim_service.billing.policies.models import ProposalState
from sim_service.billing.policies.schemas import (
    DecisionOut,
    DecisionQuery,
    PolicyIn,
    PolicyOut,
    PolicyPatch,
    ProposalOut,
    columns_of,
)
from sim_service.billing.policies.service import PolicyService
from sim_service.work.jobs.api import location
from sim_service.work.jobs.schemas import JobOut

router = APIRouter(prefix="/topup-policies", tags=["top-up policies"])


async def _policies(user: CurrentUser, session: DbSession, limits: PolicyLimits) -> PolicyService:
    return PolicyService(session, user.scope, limits)


Policies = Annotated[PolicyService, Depends(_policies)]


@router.post("", status_code=201)
@raises(NotFound, Conflict)
async def create_policy(
    body: PolicyIn,
    user: CurrentOperator,
    policies: Policies,
    idempotency: IdempotencyKey,
    response: Response,
) -> PolicyOut:
    """A new policy; the worker evaluates it from now on unless it is not enabled."""
    owner = str(user.organization_id)
    before = await idempotency.replay(owner)
    if before is not None:
        made = await policies.get(UUID(orjson.loads(before)["id"]), deleted=True)
        return PolicyOut.of(await policies.with_spending(made))
    created = PolicyOut.of(await policies.create(columns_of(body), user))
    await idempotency.remember(owner, created.model_dump_json(include={"id"}))
    response.headers["Location"] = f"{API}/topup-policies/{created.id}"
    return created


@router.get("")
async def list_policies(policies: Policies, paging: Paging) -> Page[PolicyOut]:
    """The organisation's policies, newest first."""
    return (await policies.find(paging)).to_page(PolicyOut.of, paging)


@router.get("/{policy_id}")
async def read_policy(policy_id: UUID, policies: Policies) -> PolicyOut:
    """One policy, also one that was deleted."""
    return PolicyOut.of(await policies.with_spending(await policies.get(policy_id, deleted=True)))


@router.patch("/{policy_id}")
async def change_policy(
    policy_id: UUID, body: PolicyPatch, user: CurrentUser, policies: Policies
) -> PolicyOut:
    """Change what is named."""
    policy = await policies.get(policy_id, for_update=True)
    user.require(Role.OPERATOR)
    return PolicyOut.of(await policies.change(policy, columns_of(body)))


@router.delete("/{policy_id}", status_code=204)
async def delete_policy(policy_id: UUID, user: CurrentUser, policies: Policies) -> None:
    """Take a policy out of use; what it decided can be read further on, its purchases stay in the ledger."""
    policy = await policies.get(policy_id, for_update=True)
    user.require(Role.OPERATOR)
    await policies.delete(policy)


@router.post("/{policy_id}/evaluate", status_code=202)
@raises(Conflict)
async def evaluate_policy(
    policy_id: UUID, user: CurrentUser, policies: Policies, response: Response
) -> JobOut:
    """Have the worker evaluate a policy now, besides its schedule."""
    policy = await policies.get(policy_id)
    user.require(Role.OPERATOR)
    job = await policies.evaluate(policy, user)
    response.headers["Location"] = location(job.id)
    return JobOut.of(job, user)


@router.get("/{policy_id}/decisions")
async def list_decisions(
    policy_id: UUID, policies: Policies, paging: Paging, query: Annotated[DecisionQuery, Query()]
) -> Page[DecisionOut]:
    """What the policy decided and why, newest first."""
    policy = await policies.get(policy_id, deleted=True)
    found = await policies.decisions(policy, query.model_dump(exclude_none=True), paging)
    return found.to_page(DecisionOut.model_validate, paging)


@router.get("/{policy_id}/proposals")
async def list_proposals(
    policy_id: UUID, policies: Policies, paging: Paging, state: ProposalState | None = None
) -> Page[ProposalOut]:
    """What the policy asked to buy, newest first."""
    policy = await policies.get(policy_id, deleted=True)
    found = await policies.proposals(policy, state, paging)
    return found.to_page(ProposalOut.model_validate, paging)


@router.post("/{policy_id}/proposals/{proposal_id}/approve", status_code=202)
@raises(Conflict)
async def approve_proposal(
    policy_id: UUID, proposal_id: UUID, user: CurrentUser, policies: Policies, response: Response
) -> ProposalOut:
    """Admin; the worker then buys for those SIMs that still need it, within limits and budget."""
    policy = await policies.get(policy_id)
    proposal = await policies.proposal(policy, proposal_id)
    user.require(Role.ADMIN)
    job = await policies.approve(policy, proposal, user)
    response.headers["Location"] = location(job.id)
    return ProposalOut.model_validate(proposal)


@router.post("/{policy_id}/proposals/{proposal_id}/reject")
@raises(Conflict)
async def reject_proposal(
    policy_id: UUID, proposal_id: UUID, user: CurrentUser, policies: Policies
) -> ProposalOut:
    """Admin; nothing is bought, and the next evaluation may propose anew."""
    proposal = await policies.proposal(await policies.get(policy_id), proposal_id)
    user.require(Role.ADMIN)
    proposal.decide(ProposalState.REJECTED, user.user_id)
    return ProposalOut.model_validate(proposal)

"""Evaluating a policy: who needs volume, may have it, and gets it.

What is decided and what it costs are committed together under the policy's lock, before the carrier is asked,
so that evaluations at the same time share one budget.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import NotFound
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.billing.budgets.service import BudgetService
from sim_service.billing.policies.decisions import EvaluationRun, names, proposal_of
from sim_service.billing.policies.models import PROPOSAL_LASTS, Decision, Policy, ProposalState, Reason
from sim_service.billing.policies.repository import PolicyRepository
from sim_service.billing.topups.ledger import Ledger, Prices, TopUpRequest
from sim_service.billing.topups.models import PurchaseKind, TopUp
from sim_service.billing.topups.queries import bought_in_month, spent_in_month, with_open_purchase
from sim_service.billing.topups.service import TopUpService
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import PaymentMethod, Priority, QuotaKind
from sim_service.inventory.sims.service import SimService
from sim_service.usage.quotas.models import SimQuota
from sim_service.usage.quotas.queries import stored_quotas
from sim_service.usage.quotas.service import QuotaService
from sim_service.work.failures import SKIPPABLE_ERRORS

GiveWay = Callable[[], Awaitable[None]]
"""Awaited after each step, so that other organisations have theirs."""
SIMS_PER_STEP = 10
"""SIMs in one order: few, since the carrier is asked for each of them where it refuses them together."""
_OLD = timedelta(days=1)
"""Quotas are read again before a policy goes by them if they are older than this."""


async def _go_on() -> None:
    """Nobody else waits."""


class Evaluator:
    """Evaluates policies in the background. `payment`: how a policy pays that does not say so itself."""

    def __init__(
        self, sessions: Sessions, carrier: Carrier, *, prices: Prices, payment: PaymentMethod
    ) -> None:
        self._sessions, self._prices, self._payment = sessions, prices, payment
        self._quotas = QuotaService(sessions, EVERYTHING, carrier, fresh=0)
        self._top_ups = TopUpService(sessions, EVERYTHING, carrier, prices=prices, fresh=0)

    async def evaluate(
        self, policy_id: UUID, approved: UUID | None = None, *, give_way: GiveWay = _go_on
    ) -> Counter[str]:
        """Evaluate a policy, or, for an approved proposal, buy for those of its SIMs that still need it.

        Nothing is bought by old facts: raises the carrier's errors while it is unavailable, and passes over
        SIMs whose quotas cannot be read.
        """
        counts: Counter[str] = Counter()
        policy = await self._policy(policy_id)
        if policy is None:
            return counts
        chosen = await self._triggered(policy, approved, counts, give_way)
        if approved is None and await self._needs_approval(policy_id, chosen, counts):
            return counts
        for start in range(0, len(chosen), SIMS_PER_STEP):
            await give_way()
            await self._buy(policy_id, chosen[start : start + SIMS_PER_STEP], counts)
        return counts

    async def _policy(self, policy_id: UUID) -> Policy | None:
        async with self._sessions.begin() as session:
            policy = await _in_use(PolicyRepository(session, EVERYTHING), policy_id)
            if policy is not None:
                policy.evaluated_at = datetime.now(UTC)
            return policy

    async def _triggered(
        self, policy: Policy, approved: UUID | None, counts: Counter[str], give_way: GiveWay
    ) -> list[str]:
        """ICCIDs that meet a trigger by quotas read just now, the most urgent first."""
        today = datetime.now(UTC).date()
        async with self._sessions() as session:
            policies = PolicyRepository(session, EVERYTHING)
            old = await policies.outdated(policy, datetime.now(UTC) - _OLD)
        unknown = await self._renew(policy, old, counts, give_way)
        async with self._sessions() as session:
            policies = PolicyRepository(session, EVERYTHING)
            chosen = list(await policies.triggered(policy, today))
            if approved is not None:
                proposal = await policies.proposal(policy.id, approved)
                wanted = set(proposal.iccids) if proposal else set()
                chosen = [iccid for iccid in chosen if iccid in wanted]
        asked = set(old)
        rest = [iccid for iccid in chosen if iccid not in asked]
        unknown |= await self._renew(policy, rest, counts, give_way)
        async with self._sessions() as session:
            still = set(await PolicyRepository(session, EVERYTHING).triggered(policy, today))
        return [iccid for iccid in chosen if iccid in still - unknown]

    async def _renew(
        self, policy: Policy, iccids: Sequence[str], counts: Counter[str], give_way: GiveWay
    ) -> set[str]:
        """Read quotas again; the SIMs for which that failed, for which nothing may be bought."""
        unknown: dict[str, Reason] = {}
        for iccid in iccids:
            try:
                await self._quotas.refresh_with_forecast(iccid, QuotaKind.DATA, Priority.BACKGROUND)
            except SKIPPABLE_ERRORS as error:
                gone = isinstance(error, NotFound)
                unknown[iccid] = Reason.SIM_UNKNOWN if gone else Reason.QUOTA_UNKNOWN
            await give_way()
        if unknown:
            row = {"decision": Decision.SKIPPED, "facts": {}}
            async with self._sessions.begin() as session:
                if await _in_use(PolicyRepository(session, EVERYTHING), policy.id) is None:
                    return set(unknown)
                rows = [names(policy, one) | row | {"reason": unknown[one]} for one in sorted(unknown)]
                await PolicyRepository(session, EVERYTHING).record(rows)
            counts[Decision.SKIPPED] += len(unknown)
        return set(unknown)

    async def _needs_approval(self, policy_id: UUID, chosen: Sequence[str], counts: Counter[str]) -> bool:
        """Propose what is too much to be bought without an admin; True if nothing may be bought."""
        async with self._sessions.begin() as session:
            policies = PolicyRepository(session, EVERYTHING)
            policy = await _in_use(policies, policy_id)
            if policy is None:
                return True
            pending = await policies.pending(policy_id)
            if pending is not None and datetime.now(UTC) - pending.created_at >= PROPOSAL_LASTS:
                pending.decide(ProposalState.EXPIRED, None)
                await session.flush()
                pending = None
            current, quotas = await self._round(session, policy, chosen)
            if not policy.needs_approval(len(current.wanted)):
                return False
            if pending is None:
                pending = proposal_of(current)
                policies.add(pending)
                await session.flush()
                for iccid, reason in current.wanted.items():
                    current.note(quotas[iccid], Decision.PROPOSED, reason, proposal_id=pending.id)
            else:
                for iccid in current.wanted:
                    current.note(quotas[iccid], Decision.SKIPPED, Reason.AWAITING_APPROVAL)
            await policies.record(current.rows)
            counts.update(row["decision"] for row in current.rows)
            return True

    async def _buy(self, policy_id: UUID, iccids: Sequence[str], counts: Counter[str]) -> None:
        async with self._sessions.begin() as session:
            policies = PolicyRepository(session, EVERYTHING)
            policy = await _in_use(policies, policy_id)
            if policy is None:
                return
            locked = await SimService(session, Scope(policy.organization_id)).locked(iccids)
            sims = {sim.iccid: sim for sim in locked}
            current, quotas = await self._round(session, policy, [iccid for iccid in iccids if iccid in sims])
            made: list[TopUp] = []
            if policy.dry_run:
                for iccid, reason in current.wanted.items():
                    current.note(quotas[iccid], Decision.WOULD_TOP_UP, reason)
            else:
                purchase = TopUpRequest(
                    PaymentMethod(policy.payment_method or self._payment), policy_id=policy.id
                )
                ledger = Ledger(session, self._prices)
                entered = await ledger.enter([sims[iccid] for iccid in current.wanted], purchase)
                made = entered.made
                for row in made:
                    reason = current.wanted[row.iccid]
                    current.note(quotas[row.iccid], Decision.TOPPED_UP, reason, top_up_id=row.id)
                for iccid, error in entered.refused.items():
                    current.refuse(quotas[iccid], error)
            await policies.record(current.rows)
            counts.update(row["decision"] for row in current.rows)
        await self._top_ups.send(made)

    async def _round(
        self, session: AsyncSession, policy: Policy, iccids: Collection[str]
    ) -> tuple[EvaluationRun, dict[str, SimQuota]]:
        """Decide about SIMs by what is in the ledger; the caller holds the policy's lock."""
        now = datetime.now(UTC)
        stored = await stored_quotas(session, iccids, QuotaKind.DATA)
        quotas = {quota.iccid: quota for quota in stored}
        current = EvaluationRun(
            policy,
            await Ledger(session, self._prices).price(PurchaseKind.TOP_UP),
            policy.budget_per_month - await spent_in_month(session, policy.id, now),
            await BudgetService(session).reserve(policy.organization_id),
            await bought_in_month(session, policy.id, iccids, now),
            await with_open_purchase(session, iccids, policy.organization_id),
        )
        for iccid in iccids:
            if iccid in quotas and (reason := policy.trigger(quotas[iccid], now.date())):
                current.decide(quotas[iccid], reason)
        return current, quotas


async def _in_use(policies: PolicyRepository, policy_id: UUID) -> Policy | None:
    """The policy, locked, unless it was switched off or deleted: then nothing more may be bought by it."""
    policy = await policies.get(policy_id, for_update=True)
    return policy if policy is not None and policy.enabled else None

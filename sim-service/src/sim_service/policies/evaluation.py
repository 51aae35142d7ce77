"""Evaluating a policy: who needs volume, may have it, and gets it.

What is decided and what it costs are committed together under the policy's lock, before the carrier is asked,
so that evaluations at the same time share one budget.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import NotFound
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import PaymentMethod, Priority, QuotaKind
from sim_service.jobs.passing import PASSED_OVER
from sim_service.policies.models import (
    PROPOSAL_LASTS,
    Decision,
    Policy,
    ProposalState,
    Reason,
)
from sim_service.policies.repository import PolicyRepository
from sim_service.policies.rounds import Round, Tally, names, proposal_of
from sim_service.quotas.models import SimQuota
from sim_service.quotas.repository import QuotaRepository
from sim_service.quotas.service import QuotaService
from sim_service.sims.service import SimService
from sim_service.topups.ledger import Ledger, Prices, Purchase
from sim_service.topups.models import PurchaseKind, TopUp
from sim_service.topups.repository import TopUpRepository, month_start
from sim_service.topups.service import MOST_TOGETHER, TopUpService

_OLD = timedelta(days=1)
"""Quotas are read again before a policy goes by them if they are older than this."""


class Evaluator:
    """Evaluates policies in the background. `payment`: how a policy pays that does not say so itself."""

    def __init__(
        self, sessions: Sessions, carrier: Carrier, *, prices: Prices, payment: PaymentMethod
    ) -> None:
        self._sessions, self._prices, self._payment = sessions, prices, payment
        self._quotas = QuotaService(sessions, EVERYTHING, carrier, fresh=0)
        self._top_ups = TopUpService(sessions, EVERYTHING, carrier, prices=prices, fresh=0)

    async def evaluate(self, policy_id: UUID, approved: UUID | None = None) -> Tally:
        """Evaluate a policy, or, for an approved proposal, buy for those of its SIMs that still need it.

        Nothing is bought by old facts: raises the carrier's errors while it is away, and passes over SIMs
        whose quotas it does not tell.
        """
        tally = Tally()
        policy = await self._policy(policy_id)
        if policy is None:
            return tally
        chosen = await self._triggered(policy, approved, tally)
        if approved is None and await self._asks_first(policy_id, chosen, tally):
            return tally
        for start in range(0, len(chosen), MOST_TOGETHER):
            await self._buy(policy_id, chosen[start : start + MOST_TOGETHER], tally)
        return tally

    async def _policy(self, policy_id: UUID) -> Policy | None:
        async with self._sessions.begin() as session:
            policy = await _in_use(PolicyRepository(session, EVERYTHING), policy_id)
            if policy is not None:
                policy.evaluated_at = datetime.now(UTC)
            return policy

    async def _triggered(self, policy: Policy, approved: UUID | None, tally: Tally) -> list[str]:
        """SIMs that meet a trigger by facts from just now, the most urgent first."""
        today = datetime.now(UTC).date()
        async with self._sessions() as session:
            policies = PolicyRepository(session, EVERYTHING)
            old = await policies.untold(policy, datetime.now(UTC) - _OLD)
        unknown = await self._renew(policy, old, tally)
        async with self._sessions() as session:
            policies = PolicyRepository(session, EVERYTHING)
            chosen = list(await policies.triggered(policy, today))
            if approved is not None:
                proposal = await policies.proposal(policy.id, approved)
                wanted = set(proposal.iccids) if proposal else set()
                chosen = [iccid for iccid in chosen if iccid in wanted]
        asked = set(old)
        unknown |= await self._renew(policy, [iccid for iccid in chosen if iccid not in asked], tally)
        async with self._sessions() as session:
            still = set(await PolicyRepository(session, EVERYTHING).triggered(policy, today))
        return [iccid for iccid in chosen if iccid in still - unknown]

    async def _renew(self, policy: Policy, iccids: Sequence[str], tally: Tally) -> set[str]:
        """Ask for the quotas of SIMs; those that are not told of, for which nothing may be bought."""
        unknown: dict[str, Reason] = {}
        for iccid in iccids:
            try:
                await self._quotas.renew(iccid, QuotaKind.DATA, Priority.BACKGROUND)
            except PASSED_OVER as error:
                gone = isinstance(error, NotFound)
                unknown[iccid] = Reason.SIM_UNKNOWN if gone else Reason.QUOTA_UNKNOWN
        if unknown:
            row = {"decision": Decision.SKIPPED, "facts": {}}
            async with self._sessions.begin() as session:
                rows = [names(policy, one) | row | {"reason": unknown[one]} for one in sorted(unknown)]
                await PolicyRepository(session, EVERYTHING).record(rows)
            tally.add(Decision.SKIPPED, len(unknown))
        return set(unknown)

    async def _asks_first(self, policy_id: UUID, chosen: Sequence[str], tally: Tally) -> bool:
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
            await self._record(policies, current, tally)
            return True

    async def _buy(self, policy_id: UUID, iccids: Sequence[str], tally: Tally) -> None:
        async with self._sessions.begin() as session:
            policies = PolicyRepository(session, EVERYTHING)
            policy = await _in_use(policies, policy_id)
            if policy is None:
                return
            sims = {
                sim.iccid: sim
                for sim in await SimService(session, Scope(policy.organization_id)).locked(iccids)
            }
            current, quotas = await self._round(session, policy, [iccid for iccid in iccids if iccid in sims])
            made: list[TopUp] = []
            if policy.dry_run:
                for iccid, reason in current.wanted.items():
                    current.note(quotas[iccid], Decision.WOULD_TOP_UP, reason)
            else:
                purchase = Purchase(
                    PaymentMethod(policy.payment_method or self._payment), policy_id=policy.id
                )
                ledger = Ledger(session, self._prices)
                made = (await ledger.intend([sims[iccid] for iccid in current.wanted], purchase)).made
                for row in made:
                    reason = current.wanted[row.iccid]
                    current.note(quotas[row.iccid], Decision.TOPPED_UP, reason, top_up_id=row.id)
            await self._record(policies, current, tally)
        await self._top_ups.send(made)

    async def _round(
        self, session: AsyncSession, policy: Policy, iccids: Collection[str]
    ) -> tuple[Round, dict[str, SimQuota]]:
        """Decide about SIMs by what is in the ledger; the caller holds the policy's lock."""
        now = datetime.now(UTC)
        ledger, since = TopUpRepository(session, EVERYTHING), month_start(now)
        kept = await QuotaRepository(session, EVERYTHING).kept(iccids, QuotaKind.DATA)
        quotas = {quota.iccid: quota for quota in kept}
        current = Round(
            policy,
            await Ledger(session, self._prices).price(PurchaseKind.TOP_UP),
            policy.budget - await ledger.spent(policy.id, since),
            await ledger.counts(policy.id, iccids, since),
            {row.iccid for row in await ledger.pending(iccids)},
        )
        for iccid in iccids:
            if iccid in quotas and (reason := policy.trigger(quotas[iccid], now.date())):
                current.decide(quotas[iccid], reason)
        return current, quotas

    async def _record(self, policies: PolicyRepository, current: Round, tally: Tally) -> None:
        await policies.record(current.rows)
        for row in current.rows:
            tally.add(row["decision"])


async def _in_use(policies: PolicyRepository, policy_id: UUID) -> Policy | None:
    """The policy, locked, unless it was switched off or deleted: then nothing more may be bought by it."""
    policy = await policies.get(policy_id, for_update=True)
    return policy if policy is not None and policy.enabled else None

"""Queries on `topup_policies`, `policy_proposals`, `policy_decisions`, and on quotas that policies watch."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from fleet_kit.ids import uuid7
from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.billing.policies.models import (
    ONCE_A_DAY,
    REPEATABLE,
    REPEATABLE_ROWS,
    Policy,
    PolicyDecision,
    Proposal,
    ProposalState,
    SelectBy,
)
from sim_service.carrier.models import QuotaKind, QuotaState
from sim_service.inventory.sims.models import Sim
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.usage.quotas.models import SimQuota

# Ids are made in the order of time.
_NEWEST = SortOrder("-id", Policy.id, Policy.id)
_NEWEST_PROPOSAL = SortOrder("-id", Proposal.id, Proposal.id)
_NEWEST_DECISION = SortOrder("-id", PolicyDecision.id, PolicyDecision.id)


class PolicyRepository(ScopedRepository):
    async def get(self, policy_id: UUID, *, for_update: bool = False, deleted: bool = False) -> Policy | None:
        """One policy; `for_update` locks it until the commit, `deleted` finds also one out of use."""
        statement = self._mine(deleted=deleted).where(Policy.id == policy_id)
        return await self._one(statement, for_update=for_update)

    async def page(self, paging: PageParams) -> PageResult[Policy]:
        return await find_page(self._session, self._mine(), _NEWEST, paging)

    async def enabled(self) -> dict[UUID, list[UUID]]:
        """Ids of the policies to evaluate, oldest first, of each organisation."""
        columns = Policy.organization_id, Policy.id
        statement = self._mine().where(Policy.enabled).order_by(Policy.id).with_only_columns(*columns)
        found: dict[UUID, list[UUID]] = {}
        for owner, policy_id in (await self._session.execute(statement)).all():
            found.setdefault(owner, []).append(policy_id)
        return found

    async def proposals(self, policy_id: UUID, state: str | None, paging: PageParams) -> PageResult[Proposal]:
        statement = self._proposals(policy_id)
        if state is not None:
            statement = statement.where(Proposal.state == state)
        return await find_page(self._session, statement, _NEWEST_PROPOSAL, paging)

    async def proposal(
        self, policy_id: UUID, proposal_id: UUID, *, for_update: bool = False
    ) -> Proposal | None:
        statement = self._proposals(policy_id).where(Proposal.id == proposal_id)
        return await self._one(statement, for_update=for_update)

    async def pending(self, policy_id: UUID) -> Proposal | None:
        statement = self._proposals(policy_id).where(Proposal.state == ProposalState.PENDING)
        return await self._one(statement, for_update=True)

    async def decisions(
        self, policy_id: UUID, wanted: Mapping[str, Any], paging: PageParams
    ) -> PageResult[PolicyDecision]:
        statement = self._owned(PolicyDecision).where(PolicyDecision.policy_id == policy_id)
        return await find_page(self._session, statement.filter_by(**wanted), _NEWEST_DECISION, paging)

    async def has_decided(self, policy_id: UUID) -> bool:
        decided = select(PolicyDecision.id).where(PolicyDecision.policy_id == policy_id)
        return bool(await self._session.scalar(select(decided.exists())))

    async def record(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store decisions; one that costs nothing and was made today already is only counted."""
        now = datetime.now(UTC)
        table = PolicyDecision.metadata.tables[PolicyDecision.__tablename__]
        for row in rows:
            values = {"id": uuid7(), "day": now.date(), "times": 1, "last_at": now, "created_at": now, **row}
            statement = insert(table).values(values)
            if row["decision"] in REPEATABLE:
                changes = {"times": table.c.times + 1, "last_at": now, "facts": statement.excluded.facts}
                statement = statement.on_conflict_do_update(
                    index_elements=ONCE_A_DAY, index_where=REPEATABLE_ROWS, set_=changes
                )
            await self._session.execute(statement)

    async def triggered(self, policy: Policy, today: date) -> Sequence[str]:
        """ICCIDs whose stored data quota meets a trigger of the policy, the most urgent first."""
        statement = (
            select(Sim.iccid)
            .join(SimQuota, and_(SimQuota.iccid == Sim.iccid, SimQuota.kind == QuotaKind.DATA))
            .where(
                SimQuota.organization_id == policy.organization_id, _selected(policy), _trigger(policy, today)
            )
            .order_by(SimQuota.exhausted_on.nulls_last(), Sim.iccid)
        )
        return await self._all(statement)

    async def outdated(self, policy: Policy, fetched_before: datetime) -> Sequence[str]:
        """ICCIDs whose data quota was never read, is old, or is worse by the list of SIMs."""
        joined = and_(SimQuota.iccid == Sim.iccid, SimQuota.kind == QuotaKind.DATA)
        worse = and_(
            Sim.data_quota_state.in_([QuotaState.LOW, QuotaState.EXHAUSTED]),
            SimQuota.carrier_state == QuotaState.OK,
        )
        statement = (
            select(Sim.iccid)
            .outerjoin(SimQuota, joined)
            .where(
                _selected(policy), or_(SimQuota.iccid.is_(None), SimQuota.fetched_at < fetched_before, worse)
            )
            .order_by(Sim.iccid)
        )
        return await self._all(statement)

    def _mine(self, *, deleted: bool = False) -> Select[Policy]:
        mine = self._owned(Policy)
        return mine if deleted else mine.where(Policy.deleted_at.is_(None))

    def _proposals(self, policy_id: UUID) -> Select[Proposal]:
        return self._owned(Proposal).where(Proposal.policy_id == policy_id)


def _selected(policy: Policy) -> ColumnElement[bool]:
    chosen: ColumnElement[bool] = true()
    if policy.select_by == SelectBy.TAGS:
        chosen = Sim.tags.overlap(policy.tags)
    elif policy.select_by == SelectBy.ICCIDS:
        chosen = Sim.iccid.in_(policy.iccids)
    return and_(Sim.organization_id == policy.organization_id, Sim.missing_since.is_(None), chosen)


def _trigger(policy: Policy, today: date) -> ColumnElement[bool]:
    """The same as Policy.trigger, for the database."""
    either: list[ColumnElement[bool]] = []
    if policy.remaining_below_percent is not None:
        either.append(SimQuota.remaining * 100 < SimQuota.total * policy.remaining_below_percent)
    if policy.forecast_below_days is not None:
        either.append(SimQuota.exhausted_on < today + timedelta(days=policy.forecast_below_days))
    return or_(*either)

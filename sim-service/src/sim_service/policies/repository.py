"""Queries on `topup_policies`, `policy_proposals`, `policy_decisions`, and on quotas that policies watch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.ids import uuid7
from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.carrier.facts import QuotaKind, QuotaState
from sim_service.policies.models import (
    REPEATABLE,
    REPEATABLE_ROWS,
    Policy,
    PolicyDecision,
    Proposal,
    ProposalState,
    SelectBy,
)
from sim_service.quotas.models import SimQuota
from sim_service.sims.models import Sim

# Ids are made in the order of time.
_NEWEST = Order("-id", Policy.id, Policy.id)
_NEWEST_PROPOSAL = Order("-id", Proposal.id, Proposal.id)
_NEWEST_DECISION = Order("-id", PolicyDecision.id, PolicyDecision.id)


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Conditions that must all hold; None does not restrict."""

    decision: str | None = None
    reason: str | None = None
    iccid: str | None = None


class PolicyRepository:
    """Policies of one organisation, or of all with EVERYTHING, and what belongs to them."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, policy_id: UUID, *, for_update: bool = False, deleted: bool = False) -> Policy | None:
        """One policy; `for_update` locks it until the commit, `deleted` finds also one out of use."""
        statement = self._mine(deleted=deleted).where(Policy.id == policy_id)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def page(self, paging: PageParams) -> Found[Policy]:
        """A page, newest first."""
        return await find_page(self._session, self._mine(), _NEWEST, paging)

    async def enabled(self) -> Sequence[UUID]:
        """Ids of the policies to evaluate, oldest first."""
        statement = self._mine().where(Policy.enabled).order_by(Policy.id).with_only_columns(Policy.id)
        return (await self._session.execute(statement)).scalars().all()

    def add(self, row: Policy | Proposal) -> None:
        """Insert at the next flush."""
        self._session.add(row)

    async def proposals(self, policy_id: UUID, state: str | None, paging: PageParams) -> Found[Proposal]:
        """A page of a policy's proposals, newest first."""
        statement = self._proposals(policy_id)
        if state is not None:
            statement = statement.where(Proposal.state == state)
        return await find_page(self._session, statement, _NEWEST_PROPOSAL, paging)

    async def proposal(
        self, policy_id: UUID, proposal_id: UUID, *, for_update: bool = False
    ) -> Proposal | None:
        """One proposal of a policy."""
        statement = self._proposals(policy_id).where(Proposal.id == proposal_id)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def pending(self, policy_id: UUID) -> Proposal | None:
        """The proposal of a policy that waits for an admin."""
        statement = self._proposals(policy_id).where(Proposal.state == ProposalState.PENDING)
        return (await self._session.execute(statement.with_for_update())).scalar_one_or_none()

    async def decisions(
        self, policy_id: UUID, wanted: DecisionFilter, paging: PageParams
    ) -> Found[PolicyDecision]:
        """A page of a policy's decisions, newest first."""
        statement = select(PolicyDecision).where(
            self._scope.where(PolicyDecision.organization_id), PolicyDecision.policy_id == policy_id
        )
        for name in DecisionFilter.__slots__:
            if (value := getattr(wanted, name)) is not None:
                statement = statement.where(getattr(PolicyDecision, name) == value)
        return await find_page(self._session, statement, _NEWEST_DECISION, paging)

    async def record(self, rows: Sequence[dict[str, Any]]) -> None:
        """Note decisions; one that costs nothing and was made today already is only counted."""
        now = datetime.now(UTC)
        table = PolicyDecision.metadata.tables[PolicyDecision.__tablename__]
        for row in rows:
            values = {"id": uuid7(), "day": now.date(), "times": 1, "last_at": now, "created_at": now, **row}
            statement = insert(table).values(values)
            if row["decision"] in REPEATABLE:
                changes = {"times": table.c.times + 1, "last_at": now, "facts": statement.excluded.facts}
                statement = statement.on_conflict_do_update(
                    index_elements=["policy_id", "iccid", "day", "decision", "reason"],
                    index_where=REPEATABLE_ROWS,
                    set_=changes,
                )
            await self._session.execute(statement)

    async def triggered(self, policy: Policy, today: date) -> Sequence[str]:
        """ICCIDs whose kept data quota meets a trigger of the policy, the most urgent first."""
        statement = (
            select(Sim.iccid)
            .join(SimQuota, and_(SimQuota.iccid == Sim.iccid, SimQuota.kind == QuotaKind.DATA))
            .where(
                SimQuota.organization_id == policy.organization_id, _selected(policy), _trigger(policy, today)
            )
            .order_by(SimQuota.exhausted_on.nulls_last(), Sim.iccid)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def untold(self, policy: Policy, fetched_before: datetime) -> Sequence[str]:
        """ICCIDs of the policy's SIMs whose data quota was never asked for, is old, or by the list worse."""
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
        return (await self._session.execute(statement)).scalars().all()

    async def forget(self, before: date, limit: int) -> int:
        """Delete up to so many decisions of days before this; how many went."""
        old = select(PolicyDecision.id).where(PolicyDecision.day < before).limit(limit)
        statement = delete(PolicyDecision).where(PolicyDecision.id.in_(old)).returning(PolicyDecision.id)
        return len((await self._session.execute(statement)).all())

    def _mine(self, *, deleted: bool = False) -> Select[Policy]:
        mine = select(Policy).where(self._scope.where(Policy.organization_id))
        return mine if deleted else mine.where(Policy.deleted_at.is_(None))

    def _proposals(self, policy_id: UUID) -> Select[Proposal]:
        return select(Proposal).where(
            self._scope.where(Proposal.organization_id), Proposal.policy_id == policy_id
        )


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

"""Queries on `top_ups`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.attempts import PENDING, SPENT, UNSETTLED
from sim_service.database import among
from sim_service.topups.models import PurchaseKind, TopUp, TopUpState

# Ids are made in the order of time.
_NEWEST = Order("-id", TopUp.id, TopUp.id)


@dataclass(frozen=True, slots=True)
class TopUpFilter:
    """Conditions that must all hold; None does not restrict."""

    iccid: str | None = None
    state: str | None = None
    kind: str | None = None
    policy_id: UUID | None = None
    order_number: str | None = None


@dataclass(frozen=True, slots=True)
class MonthRow:
    """What purchases in one state came to in a month."""

    month: datetime
    state: str
    currency: str
    number: int
    amount: Decimal


class TopUpRepository:
    """The ledger of one organisation, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, top_up_id: UUID) -> TopUp | None:
        """One purchase."""
        return (await self._session.execute(self._mine().where(TopUp.id == top_up_id))).scalar_one_or_none()

    async def all_of(self, ids: Collection[UUID], *, for_update: bool = False) -> Sequence[TopUp]:
        """Purchases by their ids; `for_update` locks them in one order."""
        statement = self._mine().where(TopUp.id.in_(ids)).order_by(TopUp.id)
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalars().all()

    async def page(self, wanted: TopUpFilter, paging: PageParams) -> Found[TopUp]:
        """A page, newest first."""
        statement = self._mine()
        for name in TopUpFilter.__slots__:
            if (value := getattr(wanted, name)) is not None:
                statement = statement.where(getattr(TopUp, name) == value)
        return await find_page(self._session, statement, _NEWEST, paging)

    async def months(self, since: datetime, until: datetime) -> Sequence[MonthRow]:
        """Sums by UTC month, state and currency of purchases made in [since, until)."""
        month = func.date_trunc("month", TopUp.created_at, "UTC").label("month")
        statement = (
            select(month, TopUp.state, TopUp.currency, func.count(), func.sum(TopUp.amount))
            .where(
                self._scope.where(TopUp.organization_id), TopUp.created_at >= since, TopUp.created_at < until
            )
            .group_by(month, TopUp.state, TopUp.currency)
            .order_by(month.desc(), TopUp.state)
        )
        return [MonthRow(*row) for row in (await self._session.execute(statement)).all()]

    async def pending(self, iccids: Collection[str]) -> Sequence[TopUp]:
        """Purchases for these SIMs that are not over."""
        statement = self._mine().where(among(TopUp.iccid, iccids), TopUp.state.in_(PENDING))
        return (await self._session.execute(statement)).scalars().all()

    async def referred(self, reference: str, iccids: Collection[str]) -> Sequence[TopUp]:
        """Purchases for these SIMs that were made under a reference."""
        statement = self._mine().where(TopUp.reference == reference, TopUp.iccid.in_(iccids))
        return (await self._session.execute(statement)).scalars().all()

    def add(self, top_up: TopUp) -> None:
        """A new intent."""
        self._session.add(top_up)

    async def last_price(self, kind: PurchaseKind) -> tuple[Decimal, str] | None:
        """What the newest purchase of a kind whose order told its price did cost, with the currency."""
        statement = (
            select(TopUp.amount, TopUp.currency)
            .where(TopUp.kind == kind, TopUp.estimated.is_(False))
            .order_by(TopUp.created_at.desc())
            .limit(1)
        )
        row = (await self._session.execute(statement)).one_or_none()
        return None if row is None else (row.amount, row.currency)

    async def due(self, now: datetime, limit: int) -> Sequence[TopUp]:
        """Purchases to look after, locked; those in other hands are left out."""
        statement = (
            self._mine()
            .where(TopUp.state.in_(PENDING), TopUp.next_look_at <= now)
            .order_by(TopUp.next_look_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def of_order(self, number: str) -> Sequence[TopUp]:
        """Every purchase that belongs to an order, locked."""
        statement = self._mine().where(TopUp.order_number == number).order_by(TopUp.id).with_for_update()
        return (await self._session.execute(statement)).scalars().all()

    async def assigned(self, numbers: Collection[str]) -> set[tuple[str, str]]:
        """(order number, ICCID) that belong to a purchase already."""
        statement = select(TopUp.order_number, TopUp.iccid).where(TopUp.order_number.in_(numbers))
        return {(number, iccid) for number, iccid in (await self._session.execute(statement)).all() if number}

    async def unsettled(self, iccid: str) -> TopUp | None:
        """The one purchase of a SIM of which nobody knows whether it costs money."""
        statement = self._mine().where(TopUp.iccid == iccid, TopUp.state.in_(UNSETTLED))
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def without_order(self, iccids: Collection[str], reason: str) -> Sequence[TopUp]:
        """Unknown purchases for these SIMs, and failed ones with this reason, locked, the earliest first."""
        given_up = and_(TopUp.state == TopUpState.FAILED, TopUp.reason == reason)
        statement = self._mine().where(
            TopUp.iccid.in_(iccids), or_(TopUp.state == TopUpState.UNKNOWN, given_up)
        )
        return (await self._session.execute(statement.order_by(TopUp.id).with_for_update())).scalars().all()

    async def spent(self, policy_id: UUID, since: datetime) -> Decimal:
        """What a policy has spent, or may yet have, since a moment."""
        statement = select(func.coalesce(func.sum(TopUp.amount), 0)).where(
            TopUp.policy_id == policy_id, TopUp.created_at >= since, TopUp.state.in_(SPENT)
        )
        return Decimal((await self._session.execute(statement)).scalar_one())

    async def counts(self, policy_id: UUID, iccids: Collection[str], since: datetime) -> dict[str, int]:
        """How many purchases a policy made for each of these SIMs since a moment."""
        statement = (
            select(TopUp.iccid, func.count())
            .where(
                TopUp.policy_id == policy_id,
                among(TopUp.iccid, iccids),
                TopUp.created_at >= since,
                TopUp.state.in_(SPENT),
            )
            .group_by(TopUp.iccid)
        )
        return {row[0]: row[1] for row in (await self._session.execute(statement)).all()}

    def _mine(self) -> Select[TopUp]:
        return select(TopUp).where(self._scope.where(TopUp.organization_id))


def month_start(moment: datetime) -> datetime:
    """The first moment of a UTC month."""
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)

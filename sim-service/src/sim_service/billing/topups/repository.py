"""Queries on `top_ups`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, or_, select

from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from fleet_kit.rows_in_turn import RowsInTurn
from sim_service.billing.purchases.models import PENDING, PENDING_ROWS, UNSETTLED, PurchaseState
from sim_service.billing.purchases.queries import PurchaseQueries
from sim_service.billing.topups.models import PurchaseKind, TopUp
from sim_service.platform.database import among

FAILED_TOP_UPS_KEPT = 10_000
"""Of one organisation."""


class TopUpRepository(PurchaseQueries[TopUp]):
    model = TopUp
    polled = RowsInTurn("top_ups", PENDING_ROWS, since="next_look_at")
    failed_kept = FAILED_TOP_UPS_KEPT

    async def page(self, wanted: Mapping[str, Any], paging: PageParams) -> PageResult[TopUp]:
        return await self._newest(self._mine().filter_by(**wanted), paging)

    async def months(self, since: datetime, until: datetime) -> Sequence[dict[str, Any]]:
        """Sums (`count`, `amount`) by UTC `month`, `state`, `currency` of purchases in [since, until)."""
        month = func.date_trunc("month", TopUp.created_at, "UTC").label("month")
        statement = (
            select(
                month,
                TopUp.state,
                TopUp.currency,
                func.count().label("count"),
                func.sum(TopUp.amount).label("amount"),
            )
            .where(
                self._scope.where(TopUp.organization_id), TopUp.created_at >= since, TopUp.created_at < until
            )
            .group_by(month, TopUp.state, TopUp.currency)
            .order_by(month.desc(), TopUp.state)
        )
        return [row._asdict() for row in await self._session.execute(statement)]

    async def pending(self, iccids: Collection[str]) -> Sequence[TopUp]:
        statement = self._mine().where(among(TopUp.iccid, iccids), TopUp.state.in_(PENDING))
        return await self._all(statement)

    async def referred(self, reference: str, iccids: Collection[str]) -> Sequence[TopUp]:
        """Purchases for these SIMs that were made under a reference."""
        statement = self._mine().where(TopUp.reference == reference, TopUp.iccid.in_(iccids))
        return await self._all(statement)

    async def last_price(self, kind: PurchaseKind) -> tuple[Decimal, str] | None:
        """Price and currency of the newest purchase of a kind, of no named product, with a known order."""
        statement = (
            select(TopUp.amount, TopUp.currency)
            .where(TopUp.kind == kind, TopUp.estimated.is_(False), TopUp.product_id.is_(None))
            .order_by(TopUp.created_at.desc())
            .limit(1)
        )
        row = (await self._session.execute(statement)).one_or_none()
        return None if row is None else (row.amount, row.currency)

    async def of_order(self, number: str) -> Sequence[TopUp]:
        """Every purchase that belongs to an order, locked."""
        statement = self._mine().where(TopUp.order_number == number).order_by(TopUp.id).with_for_update()
        return await self._all(statement)

    async def assigned(self, numbers: Collection[str]) -> set[tuple[str, str]]:
        """(order number, ICCID) that belong to a purchase already."""
        statement = select(TopUp.order_number, TopUp.iccid).where(TopUp.order_number.in_(numbers))
        return {(number, iccid) for number, iccid in (await self._session.execute(statement)).all() if number}

    async def unsettled(self, iccid: str) -> TopUp | None:
        """The one purchase of a SIM of which nobody knows whether it costs money."""
        statement = self._mine().where(TopUp.iccid == iccid, TopUp.state.in_(UNSETTLED))
        return await self._one(statement)

    async def without_order(self, iccids: Collection[str], reason: str) -> Sequence[TopUp]:
        """Unknown purchases for these SIMs, and failed ones with this reason, locked, the earliest first."""
        given_up = and_(TopUp.state == PurchaseState.FAILED, TopUp.reason == reason)
        statement = self._mine().where(
            TopUp.iccid.in_(iccids), or_(TopUp.state == PurchaseState.UNKNOWN, given_up)
        )
        return await self._all(statement.order_by(TopUp.id).with_for_update())

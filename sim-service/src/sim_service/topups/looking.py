"""Looking at the carrier for what became of purchases; nothing here asks it to do anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count

from sim_service.attempts import IN_FLIGHT, Attempt
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import (
    CLOCKS_DIFFER,
    CarrierOrder,
    CarrierQuota,
    OrderKind,
    OrderState,
    Priority,
)
from sim_service.topups.models import PurchaseKind, TopUp

_MOST_PAGES = 100
_WHOLE = Decimal("0.9")
"""Share of a top-up's volume that has to appear: some may be used by the time of the look."""

_KINDS = {
    PurchaseKind.TOP_UP: {OrderKind.TOPUP, OrderKind.BULK_TOPUP, OrderKind.UNKNOWN},
    PurchaseKind.EXTENSION: {OrderKind.ADDITIONAL_ORDER, OrderKind.TARIFF_CHANGE, OrderKind.UNKNOWN},
}


@dataclass(frozen=True, slots=True)
class Listed:
    """The carrier's orders since a moment; `complete`: none of them can be missing."""

    orders: Sequence[CarrierOrder]
    complete: bool


async def orders_since(carrier: Carrier, since: datetime) -> Listed:
    """Every order placed since `since`, by the carrier's clock, which may differ a little from ours."""
    earliest = since - CLOCKS_DIFFER
    found: list[CarrierOrder] = []
    for page in count(1):
        listed = (await carrier.list_orders(page, priority=Priority.BACKGROUND)).orders
        recent = [order for order in listed if order.placed_at is None or order.placed_at >= earliest]
        found += recent
        if not recent:
            return Listed(found, complete=True)
        if page == _MOST_PAGES:
            return Listed(found, complete=False)
    raise AssertionError("unreachable: counting does not end")


def in_time(attempt: Attempt, order: CarrierOrder) -> bool:
    """Whether the order may be the attempt's by its moment: placed while the carrier was being asked."""
    if order.placed_at is None:
        return True
    asked_at = attempt.sent_at or attempt.created_at
    return asked_at - CLOCKS_DIFFER <= order.placed_at <= asked_at + IN_FLIGHT + CLOCKS_DIFFER


def candidates(row: TopUp, orders: Sequence[CarrierOrder]) -> list[CarrierOrder]:
    """The orders that may be this purchase's, the earliest first."""
    fitting = [
        order
        for order in orders
        if row.iccid in order.iccids and order.kind in _KINDS[PurchaseKind(row.kind)] and in_time(row, order)
    ]
    asked_at = row.sent_at or row.created_at
    return sorted(fitting, key=lambda order: (order.placed_at or asked_at, order.number))


def settle(row: TopUp, order: CarrierOrder) -> bool:
    """Take over what the order tells; whether the volume was booked by that."""
    if order.amount is not None and order.currency and order.iccids:
        row.costs(order.amount / len(order.iccids), order.currency)
    if order.state == OrderState.CANCELLED:
        row.failed("CARRIER_ORDER_CANCELLED")
    return order.state == OrderState.COMPLETED and row.booked()


def quota_grew(row: TopUp, quota: CarrierQuota) -> bool | None:
    """Whether the quota shows the purchase; None where it was not known before."""
    if row.before is None:
        return None
    if row.kind == PurchaseKind.EXTENSION:
        before = row.before.get("expires_at")
        return quota.expires_at is not None and (
            before is None or quota.expires_at > datetime.fromisoformat(before)
        )
    total, remaining = Decimal(row.before["total"]), Decimal(row.before["remaining"])
    if abs(quota.total - total) >= 1:
        return True
    return quota.last_added is not None and quota.remaining - remaining >= quota.last_added * _WHOLE

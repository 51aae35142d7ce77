"""What shows that a purchase for a SIM took place: its order, or the SIM's quota."""

from datetime import datetime
from decimal import Decimal

from sim_service.billing.purchases.models import MAX_CALL_DURATION, ORDER_CANCELLED
from sim_service.billing.topups.models import PurchaseKind, TopUp
from sim_service.carrier.lost_calls import LostCalls
from sim_service.carrier.models import MAX_CLOCK_SKEW, CarrierOrder, CarrierQuota, OrderKind, OrderState

_BOOKED_SHARE = Decimal("0.9")
"""Share of a top-up's volume that has to appear: some may be used by the time the quota is read."""

_KINDS = {
    PurchaseKind.TOP_UP: {OrderKind.TOPUP, OrderKind.BULK_TOPUP, OrderKind.UNKNOWN},
    PurchaseKind.EXTENSION: {OrderKind.ADDITIONAL_ORDER, OrderKind.TARIFF_CHANGE, OrderKind.UNKNOWN},
}

LOST_TOP_UPS: LostCalls[TopUp, CarrierOrder] = LostCalls(
    sent_at=lambda row: row.asked_at,
    appeared_at=lambda order: order.placed_at,
    same_content=lambda row, order: (
        row.iccid in order.iccids and order.kind in _KINDS[PurchaseKind(row.kind)]
    ),
    identity=lambda row, order: (order.number, row.iccid),
    clock_tolerance=MAX_CLOCK_SKEW,
    longest_call=MAX_CALL_DURATION,
    rank=lambda row, order: (order.placed_at or row.asked_at, order.number),
)


def apply_order(row: TopUp, order: CarrierOrder) -> bool:
    """Take over the order's price and state; whether that booked the volume."""
    if order.amount and order.currency and order.iccids:  # zero until it is invoiced
        row.set_price(order.amount / len(order.iccids), order.currency)
    if order.state == OrderState.CANCELLED:
        row.mark_failed(ORDER_CANCELLED)
    return order.state == OrderState.COMPLETED and row.mark_booked()


def quota_grew(row: TopUp, quota: CarrierQuota) -> bool | None:
    """Whether the quota shows the purchase; None where the quota before it is not known."""
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
    return quota.last_added is not None and quota.remaining - remaining >= quota.last_added * _BOOKED_SHARE

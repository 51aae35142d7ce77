"""What other features may ask about orders."""

from uuid import UUID

from sqlalchemy import Select, exists, select

from sim_service.billing.orders.models import Order, OrderItem
from sim_service.carrier.models import OrderKind, OrderState
from sim_service.inventory.releases.models import SimRelease

_KINDS = (OrderKind.FIRST_ORDER, OrderKind.ADDITIONAL_ORDER)


def ordered_iccids(organization_id: UUID) -> Select[str]:
    """Subquery: the SIMs that came with orders which the organisation placed here; see `ordered_sims`."""
    return ordered_sims().where(Order.organization_id == organization_id)


def ordered_sims() -> Select[str]:
    """Subquery: the SIMs that came with orders, whoever placed them.

    A SIM that was given back since is not among them: whoever gave it back has no right to it any more. Nor
    are those of a cancelled order.
    """
    given_back = exists().where(SimRelease.iccid == OrderItem.iccid, SimRelease.released_at > Order.placed_at)
    return (
        select(OrderItem.iccid)
        .join(Order, Order.number == OrderItem.order_number)
        .where(
            Order.kind.in_(_KINDS),
            Order.state != OrderState.CANCELLED,
            ~given_back,
        )
    )

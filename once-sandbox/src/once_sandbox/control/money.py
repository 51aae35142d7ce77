"""/control/ledger and /control/orders: who spent what, and payments that arrive or fail."""

from collections import Counter

from fastapi import APIRouter

from once_sandbox.deps import CurrentWorld
from once_sandbox.orders import payment
from once_sandbox.orders.models import CANCELLED, Order
from once_sandbox.orders.service import find
from once_sandbox.wire import Json, optional_zulu, zulu

router = APIRouter(prefix="/control", tags=["Control: money"])


def line(order: Order) -> Json:
    """One line of the ledger; amounts in euro cents, VAT included in gross."""
    return {
        "order_number": order.number,
        "type": order.type,
        "effect": order.effect,
        "automatic": order.automatic,
        "status": order.status,
        "placed_at": zulu(order.placed_at),
        "paid_at": optional_zulu(order.paid_at),
        "payment_method": order.payment_method,
        "net_cents": order.net_cents,
        "gross_cents": order.gross_cents,
        "iccids": order.iccids,
        "products": order.products,
        "customer_reference": order.reference,
    }


@router.get("/ledger")
async def ledger(world: CurrentWorld, iccid: str | None = None) -> Json:
    """Every order, what it costs, and how many top-ups each SIM got; cancelled ones cost nothing."""
    orders = [order for order in world.orders.by_number.values() if iccid is None or iccid in order.iccids]
    spent = [order for order in orders if order.status != CANCELLED]
    top_ups = Counter(sim for order in spent if order.effect == "topup" for sim in order.iccids)
    return {
        "orders": len(spent),
        "net_cents": sum(order.net_cents for order in spent),
        "gross_cents": sum(order.gross_cents for order in spent),
        "paid_gross_cents": sum(order.gross_cents for order in spent if order.paid_at is not None),
        "topups_by_iccid": dict(top_ups),
        "lines": [line(order) for order in orders],
    }


@router.post("/orders/{number}/pay")
async def pay(number: str, world: CurrentWorld) -> Json:
    """The payment arrives now."""
    order = find(world, number)
    payment.pay(world, number=order.number)
    return line(order)


@router.post("/orders/{number}/refuse")
async def refuse(number: str, world: CurrentWorld) -> Json:
    """The payment fails; the order is cancelled."""
    order = find(world, number)
    payment.refuse(world, order)
    return line(order)

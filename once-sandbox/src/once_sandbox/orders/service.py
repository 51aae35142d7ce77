"""Placing orders and finding them."""

from collections.abc import Callable, Sequence
from typing import Any

from once_sandbox.errors import ApiError
from once_sandbox.orders.models import PAYMENT_METHODS, Effect, Order, OrderType
from once_sandbox.orders.schemas import Extension, NewOrder
from once_sandbox.products.models import TOP_UP_CENTS, product
from once_sandbox.sims.service import changeable, owned
from once_sandbox.world import World

_EXTENSION_PRODUCT = 2001
_SORT_KEYS: dict[str, Callable[[Order], Any]] = {
    "order_number": lambda order: order.number,
    "order_status": lambda order: order.status,
    "order_date": lambda order: order.placed_at,
}


def payment_method(world: World, wanted: str | None) -> str:
    """The method to pay with; raises ApiError 400 for an unknown one, unless it falls back to the default."""
    if not wanted:
        return PAYMENT_METHODS[0]
    if wanted in PAYMENT_METHODS:
        return wanted
    if world.behaviours.invalid_payment_method == "default":
        return PAYMENT_METHODS[0]
    raise ApiError(400, "Payment method used is not valid.")


def top_up(world: World, iccids: Sequence[str], wanted: str | None, *, bulk: bool) -> Order:
    """Order one top-up for each SIM; the volume comes with the payment."""
    method = payment_method(world, wanted)
    sims = changeable(world, list(dict.fromkeys(iccids)))
    kind: OrderType = "BULK_TOPUP" if bulk else "TOPUP"
    return place(
        world, kind, "topup", [sim.iccid for sim in sims], net_cents=TOP_UP_CENTS * len(sims), method=method
    )


def extend(world: World, wanted: Extension, method: str | None) -> Order:
    """Order longer lives; expired SIMs are welcome here."""
    paid_by = payment_method(world, method)
    number = wanted.product_id or _EXTENSION_PRODUCT
    entry = product(number)
    if entry is None:
        raise ApiError(400, f"productId: product {number} does not exist")
    iccids = [owned(world, iccid).iccid for iccid in dict.fromkeys(wanted.iccids)]
    kind: OrderType = "TARIFF_CHANGE" if wanted.product_id else "ADDITIONAL_ORDER"
    order = place(world, kind, "extension", iccids, net_cents=entry.net_cents * len(iccids), method=paid_by)
    order.products = {number: len(iccids)}
    return order


def order_sims(world: World, wanted: NewOrder) -> Order:
    """Order new SIMs."""
    net = 0
    for line in wanted.products:
        entry = product(line.product_id)
        if entry is None or entry.id == _EXTENSION_PRODUCT:
            raise ApiError(400, f"productId: product {line.product_id} cannot be ordered")
        if entry.most is not None and line.quantity > entry.most:
            raise ApiError(400, f"quantity: at most {entry.most} of product {entry.id}")
        net += entry.net_cents * line.quantity
    order = place(world, "ADDITIONAL_ORDER", "sims", [], net_cents=net, method="monthlyinvoice")
    order.reference = wanted.customer_reference
    if wanted.delivery_address is not None:
        order.address = wanted.delivery_address.model_dump(exclude_none=True)
    for line in wanted.products:
        order.products[line.product_id] = order.products.get(line.product_id, 0) + line.quantity
    return order


def place(
    world: World, kind: OrderType, effect: Effect, iccids: list[str], *, net_cents: int, method: str
) -> Order:
    """Take an order and wait for its payment."""
    now, number = world.clock.now(), world.orders.next_number
    world.orders.next_number += 1
    order = Order(number, kind, effect, now, net_cents, method, iccids)
    world.orders.by_number[number] = order
    due = now + world.behaviours.payment_seconds.get(method, 0.0)
    world.schedule.plan(due, "orders.pay", number=number)
    return order


def find(world: World, number: str) -> Order:
    """One order; raises ApiError 400 or 404."""
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise ApiError(400, f'Cannot parse parameter order_number as Long: For input string: "{number[:40]}"')
    order = world.orders.by_number.get(int(number))
    if order is None:
        raise ApiError(404, f"Order {number} not found")
    return order


def search(world: World, sort: str | None) -> list[Order]:
    """All orders, by number unless other keys are given."""
    orders = list(world.orders.by_number.values())
    for part in reversed(list(filter(None, (sort or "").split(",")))):
        name = part.strip().lstrip("-")
        if name not in _SORT_KEYS:
            raise ApiError(400, f"sort: unknown field '{name[:40]}', expected one of {', '.join(_SORT_KEYS)}")
        orders.sort(key=_SORT_KEYS[name], reverse=part.strip().startswith("-"))
    return orders

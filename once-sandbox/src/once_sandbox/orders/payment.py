"""What happens when an order is paid, or is not."""

from once_sandbox.clock import DAY
from once_sandbox.errors import ApiError
from once_sandbox.events import models as kinds
from once_sandbox.events.service import record
from once_sandbox.orders.models import CANCELLED, COMPLETED, CREATED, IN_PROGRESS, Order
from once_sandbox.products.models import product
from once_sandbox.quotas import booking
from once_sandbox.sims.models import Sim
from once_sandbox.sims.seed import LIFETIME_DAYS, seeded_sim
from once_sandbox.world import World


def pay(world: World, *, number: int) -> None:
    """The money arrives; every order is paid once at most."""
    order = world.orders.by_number[number]
    if order.status != CREATED:
        return
    order.paid_at = world.clock.now()
    if order.effect == "sims":
        order.status = IN_PROGRESS
        due = order.paid_at + world.behaviours.shipping_seconds
        world.schedule.plan(due, "orders.ship", number=number)
        return
    for sim in filter(None, map(world.sims.get, order.iccids)):
        _apply(world, order, sim)
    order.status = COMPLETED


def _apply(world: World, order: Order, sim: Sim) -> None:
    if order.effect == "topup":
        booking.top_up(world, sim)
        return
    booking.extend(world, sim, LIFETIME_DAYS * DAY)
    if order.type == "TARIFF_CHANGE":
        sim.product_id = next(iter(order.products))


def ship(world: World, *, number: int) -> None:
    """Ordered SIMs arrive in the account."""
    order = world.orders.by_number[number]
    if order.status != IN_PROGRESS:
        return
    for product_id, quantity in order.products.items():
        entry = product(product_id)
        for _ in range(quantity * (entry.package_size if entry else 1)):
            order.iccids.append(new_sim(world, product_id).iccid)
    order.status = COMPLETED


def new_sim(world: World, product_id: int) -> Sim:
    """A SIM without any past joins the account."""
    sim = seeded_sim(world.seed, world.sims.next_index, world.clock.now(), fresh=True)
    sim.product_id = product_id
    world.sims.add(sim)
    record(world, sim, kinds.ASSIGNED)
    return sim


def refuse(world: World, order: Order) -> None:
    """The payment fails; raises ApiError 409 if it is too late for that."""
    if order.status != CREATED:
        raise ApiError(409, f"order {order.number} is {order.status}")
    order.status = CANCELLED


def watch(world: World, iccids: list[str], *, enabled: bool) -> None:
    """Switch auto top-up of these SIMs, and start looking at them regularly."""
    for sim in filter(None, map(world.sims.get, iccids)):
        sim.auto_topup = enabled
        if enabled:
            world.orders.watched[sim.iccid] = True
        else:
            world.orders.watched.pop(sim.iccid, None)
    if world.orders.watched and not world.orders.checking:
        world.orders.checking = True
        due = world.clock.now() + world.behaviours.auto_topup_check_seconds
        world.schedule.plan(due, "orders.check")

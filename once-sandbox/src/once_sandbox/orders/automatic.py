"""Auto top-up: every four hours each watched SIM that is below its threshold gets one."""

from once_sandbox.orders.models import CREATED
from once_sandbox.orders.service import place
from once_sandbox.products.models import TOP_UP_CENTS
from once_sandbox.world import World


def check(world: World) -> None:
    """Order what is needed, and plan the next look while anything is watched."""
    orders = world.orders
    waiting = {
        iccid
        for order in orders.by_number.values()
        if order.effect == "topup" and order.status == CREATED
        for iccid in order.iccids
    }
    now = world.clock.now()
    for iccid in orders.watched:
        sim = world.sims.get(iccid)
        if sim is None or iccid in waiting or sim.expired(now):
            continue
        if max(sim.data.level(), sim.sms.level()) > 0:
            order = place(world, "TOPUP", "topup", [iccid], net_cents=TOP_UP_CENTS, method="monthlyinvoice")
            order.automatic = True
    orders.checking = bool(orders.watched)
    if orders.checking:
        world.schedule.plan(now + world.behaviours.auto_topup_check_seconds, "orders.check")

"""/control: everything at a glance, and the tokens."""

from fastapi import APIRouter, Response

from once_sandbox.deps import CurrentSandbox
from once_sandbox.orders.models import CANCELLED
from once_sandbox.wire import Json, zulu

router = APIRouter(prefix="/control", tags=["Control"])


@router.get("")
async def overview(sandbox: CurrentSandbox) -> Json:
    """What the control page shows."""
    world, sims = sandbox.world, sandbox.world.sims.own()
    spent = [order for order in world.orders.by_number.values() if order.status != CANCELLED]
    return {
        "now": zulu(world.clock.now()),
        "speed": world.clock.speed,
        "seed": world.seed,
        "sims": {
            "total": len(sims),
            "enabled": sum(sim.enabled for sim in sims),
            "low": sum(sim.data.level() == 1 for sim in sims),
            "exhausted": sum(sim.data.level() == 2 for sim in sims),
            "expired": sum(sim.expired(world.clock.now()) for sim in sims),
        },
        "orders": len(spent),
        "gross_cents": sum(order.gross_cents for order in spent),
        "v1_enabled": world.behaviours.v1_enabled,
        "requests": sandbox.log.counts.total(),
        "refused_by_limit": sandbox.limits.refused,
        "tokens_issued": sandbox.tokens.issued,
        "faults": len(sandbox.faults.rules),
        "streams": len(sandbox.pushes.streams),
        "planned": len(world.schedule.waiting),
    }


@router.post("/tokens/expire", status_code=204)
async def expire_tokens(sandbox: CurrentSandbox) -> Response:
    """End every token that was given out."""
    sandbox.tokens.expire()
    return Response(status_code=204)

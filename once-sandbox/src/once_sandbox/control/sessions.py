"""/control/sessions: devices attach, detach, vanish."""

from dataclasses import asdict

from fastapi import APIRouter

from once_sandbox.connectivity import sessions
from once_sandbox.connectivity.operators import RATS, operator_named
from once_sandbox.connectivity.service import connection_of
from once_sandbox.control.schemas import SessionChange
from once_sandbox.control.sims import any_sim
from once_sandbox.deps import CurrentWorld
from once_sandbox.errors import ApiError
from once_sandbox.sims.models import Sim
from once_sandbox.wire import Json
from once_sandbox.world import World

router = APIRouter(prefix="/control/sessions", tags=["Control: sessions"])


@router.post("")
async def change_session(change: SessionChange, world: CurrentWorld) -> Json:
    """Let the device or the network do something."""
    sim = any_sim(world, change.iccid)
    if not sim.enabled and change.action in {"attach", "open"}:
        raise ApiError(409, f"SIM {sim.iccid} is disabled")
    _act(world, sim, change)
    return {"iccid": sim.iccid, "connection": asdict(connection_of(world, sim))}


def _act(world: World, sim: Sim, change: SessionChange) -> None:
    match change.action:
        case "attach":
            sessions.attach(world, sim, operator=_operator(change), rat=_rat(change))
        case "open":
            sessions.open_session(world, sim)
        case "close":
            sessions.close_session(world, sim)
        case "detach":
            sessions.detach(world, sim)
        case "vanish":
            sessions.vanish(world, sim)
        case "fail":
            sessions.fail(world, sim, change.cause)
        case _:
            sessions.block(world, sim, blocked=change.action == "block")


def _operator(change: SessionChange) -> int | None:
    if change.operator is None:
        return None
    try:
        return operator_named(change.operator)
    except KeyError:
        raise ApiError(422, f"operator: {change.operator} is not known here") from None


def _rat(change: SessionChange) -> int | None:
    return None if change.rat is None else [name for _, name in RATS].index(change.rat)

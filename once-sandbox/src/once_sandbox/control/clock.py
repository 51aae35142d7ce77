"""/control/clock: let time pass."""

from fastapi import APIRouter
from pydantic import Field

from once_sandbox.clock import as_moment
from once_sandbox.control.schemas import Strict, YearOfUse
from once_sandbox.deps import CurrentWorld
from once_sandbox.timeline import settle
from once_sandbox.wire import Json, zulu
from once_sandbox.world import World

router = APIRouter(prefix="/control/clock", tags=["Control: clock"])
MOST_SECONDS = 20 * 365 * 86_400.0


class ClockChange(Strict):
    """How the clock moves; several at once are allowed."""

    advance_seconds: float = Field(0.0, ge=0, le=MOST_SECONDS)
    set: YearOfUse | None = Field(None, description="jump to this moment; without a zone it is UTC")
    speed: float | None = Field(
        None, ge=0, le=1_000_000, description="1 real, 3600 an hour a second, 0 stopped"
    )


@router.get("")
async def read_clock(world: CurrentWorld) -> Json:
    """The sandbox's present moment."""
    return _clock(world)


@router.post("")
async def move_clock(change: ClockChange, world: CurrentWorld) -> Json:
    """Move, speed up or stop the clock; everything that falls due on the way happens at its own moment."""
    target = None
    if change.set is not None:
        target = as_moment(change.set)
    world.clock.move(to=target, by=change.advance_seconds, speed=change.speed)
    settle(world)
    return _clock(world)


def _clock(world: World) -> Json:
    waiting = world.schedule.waiting
    return {
        "now": zulu(world.clock.now()),
        "speed": world.clock.speed,
        "planned": len(waiting),
        "next_at": zulu(waiting[0].at) if waiting else None,
    }

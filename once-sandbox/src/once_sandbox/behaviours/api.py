"""/control/behaviours: read and switch."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import ValidationError

from once_sandbox.behaviours.schemas import Behaviours, profile
from once_sandbox.deps import CurrentWorld
from once_sandbox.errors import ApiError

router = APIRouter(prefix="/control/behaviours", tags=["Control: behaviours"])


@router.get("")
async def read_behaviours(world: CurrentWorld) -> Behaviours:
    """Every switch as it stands."""
    return world.behaviours


@router.patch("")
async def change_behaviours(changes: dict[str, Any], world: CurrentWorld) -> Behaviours:
    """Set the switches that are given."""
    try:
        wanted = Behaviours.model_validate(world.behaviours.model_dump() | changes)
    except ValidationError as error:
        first = error.errors()[0]
        raise ApiError(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    world.behaviours = wanted
    return wanted


@router.put("/profile/{name}")
async def use_profile(name: Literal["spec", "recorded"], world: CurrentWorld) -> Behaviours:
    """Go back to the specification's behaviour, or to the recorded one."""
    world.behaviours = profile(name)
    return world.behaviours

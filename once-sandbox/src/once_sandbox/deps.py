"""What every route gets: the world, and the SIM its path names."""

from typing import Annotated

from fastapi import Depends, Request

from once_sandbox.sandbox import Sandbox
from once_sandbox.world import World


def the_sandbox(request: Request) -> Sandbox:
    """The running sandbox."""
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


def the_world(sandbox: Annotated[Sandbox, Depends(the_sandbox)]) -> World:
    """The present world."""
    return sandbox.world


CurrentSandbox = Annotated[Sandbox, Depends(the_sandbox)]
CurrentWorld = Annotated[World, Depends(the_world)]

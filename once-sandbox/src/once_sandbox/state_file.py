"""Keeping the world in a file between runs."""

import asyncio
from pathlib import Path

from pydantic import TypeAdapter

from once_sandbox.sandbox import Sandbox
from once_sandbox.world import World

SAVE_EVERY = 30.0
"""Real seconds between two saves while running."""
_WORLD: TypeAdapter[World] = TypeAdapter(World)


def load(path: Path) -> World:
    """The world of an earlier run; its time goes on where it stopped. Raises ValueError for other files."""
    world = _WORLD.validate_json(path.read_bytes())
    world.clock.move(to=world.clock.base)
    world.listening.clear()
    return world


def save(world: World, path: Path) -> None:
    """Write the world, all of it or nothing."""
    world.clock.move()
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(_WORLD.dump_json(world))
    fresh.replace(path)


async def keep(sandbox: Sandbox, path: Path) -> None:
    """Save now and then, and once more at the end."""
    try:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            save(sandbox.world, path)
    finally:
        save(sandbox.world, path)

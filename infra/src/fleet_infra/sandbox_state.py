"""Where the carrier's sandbox keeps its world: what the services know of it outlives a restart too."""

from pathlib import Path

from fleet_infra.layout import Layout
from fleet_infra.servers.accounts import python_account
from fleet_infra.servers.outside import give, is_outside, move_outside


def make_sandbox_folder(layout: Layout) -> None:
    """Make the folder, the sandbox's user's where it has one."""
    account, folder = python_account(), layout.sandbox
    if account is None:
        folder.mkdir(mode=0o700, exist_ok=True)
        return
    if not is_outside(folder):
        move_outside(folder, account)
    give(folder.resolve(), account)


def world_file(layout: Layout, sims: int) -> Path:
    """The file of a world that began with so many SIMs; with another number, another one begins."""
    return layout.sandbox.absolute().resolve() / f"world-{sims}.json"

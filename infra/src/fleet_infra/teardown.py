"""Stopping a fleet, and deleting what it left. Needs no settings, so that a broken `.env` is no obstacle."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from fleet_infra.layout import Layout
from fleet_infra.servers.outside import remove_data
from fleet_infra.supervisor import Supervisor

KILL_AFTER_SECONDS = 30


def stop(layout: Layout) -> bool:
    """Stop everything and wait until it is gone; False when nothing ran."""
    stopped = Supervisor(layout).stop()
    orphans = stop_orphans(layout)
    for file in (*layout.pids.glob("*.pid"), layout.ports_file):
        file.unlink(missing_ok=True)
    return stopped or orphans


def reset(layout: Layout) -> None:
    """Stop everything and delete all data, secrets included."""
    stop(layout)
    for name in ("postgres", "redis", "rabbitmq", "mongo", "signing", "sandbox", "gateway"):
        remove_data(layout.home / name)
    shutil.rmtree(layout.home, ignore_errors=True)


def stop_orphans(layout: Layout) -> bool:
    """Stop programs that outlived their supervisor; True when there were some."""
    found = [process for file in layout.pids.glob("*.pid") if (process := _started_by(file)) is not None]
    _each(found, lambda process: process.terminate())
    _, alive = psutil.wait_procs(found, timeout=KILL_AFTER_SECONDS)
    _each(alive, lambda process: process.kill())
    psutil.wait_procs(alive, timeout=5)
    return bool(found)


def _started_by(file: Path) -> psutil.Process | None:
    """The process a pid file was written for, unless it ended and its number went to another."""
    with contextlib.suppress(psutil.Error, ValueError):
        process = psutil.Process(int(file.read_text(encoding="utf-8")))
        if process.create_time() <= file.stat().st_mtime + 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _each(processes: list[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            send(process)

"""The most memory that each program of a fleet has used with its processes, and may use."""

from pathlib import Path
from typing import Any

import psutil
import yaml

from fleet_infra.layout import Layout

COMPOSE_NAMES = {"nginx": "gateway"}
STAND_INS = {"mongo"}
"""What is another program in containers: its limit there says nothing about this one."""
UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}


def limits() -> dict[str, int]:
    """Bytes by service of docker-compose.yml."""
    services = yaml.safe_load((Layout.of_clone().root / "docker-compose.yml").read_text())["services"]
    found = {}
    for name, service in services.items():
        text = service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory")
        if text:
            found[name] = int(text[:-1]) * UNITS[text[-1]]
    return found


def peaks(fleet: dict[str, Any]) -> dict[str, int]:
    """Bytes by service: what all its processes together have used, as its container would count them.

    Each with the most memory of its own that it had; what they share once. The peaks need not have been at
    one time, and a process that has ended is not counted.
    """
    found = {}
    for name, file in fleet["pid_files"].items():
        tree = psutil.Process(int(Path(file).read_text()))
        processes = [_status(each.pid) for each in (tree, *tree.children(recursive=True))]
        shared = [each.get("RssFile", 0) + each.get("RssShmem", 0) for each in processes]
        own = sum(each.get("VmHWM", 0) for each in processes) - sum(shared)
        found[COMPOSE_NAMES.get(name, name)] = own + max(shared)
    return found


def over_limit(fleet: dict[str, Any]) -> dict[str, str]:
    """Services whose processes together used more than their container may."""
    bounds = limits()
    return {
        name: f"{peak / 1024**2:.0f} of {bounds[name] / 1024**2:.0f} MiB"
        for name, peak in peaks(fleet).items()
        if name in bounds and name not in STAND_INS and peak > bounds[name]
    }


def peak_memory(pid: int) -> int:
    """The most memory that the process has had so far, in bytes; 0 of one that has ended."""
    return _status(pid).get("VmHWM", 0)


def _status(pid: int) -> dict[str, int]:
    """Bytes of each kind of memory; nothing of a process that has ended."""
    try:
        lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    except OSError:
        return {}
    return {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines if line[-1] == "kB"}


def pids(fleet: dict[str, Any]) -> dict[str, int]:
    """By program; another one than before means that the program died."""
    return {
        name: int(Path(file).read_text()) for name, file in fleet["pid_files"].items() if Path(file).exists()
    }

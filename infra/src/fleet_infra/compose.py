"""The fleet as containers: the same commands as without Docker."""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx

from fleet_infra.access import addresses, write_access
from fleet_infra.compose_files import write_files
from fleet_infra.demo import give_sims, grant_owner, register_owner
from fleet_infra.errors import CannotStart
from fleet_infra.layout import Layout
from fleet_infra.secret_store import Secrets
from fleet_infra.settings import FleetSettings

MONGO_OPTIONS = "authSource=admin&directConnection=true"
FILES = ("docker-compose.yml", "infra/compose/access.yml")
HEALTHY_SECONDS = 180
"""Longest wait for containers, images being there already."""


def up(layout: Layout, settings: FleetSettings) -> dict[str, Any]:
    """Build, start, wait until healthy; start the simulator; returns the content of access.json."""
    secrets = write_files(layout, settings)
    # By itself, `up --build` of older versions pulls an image that another service's build would make.
    _run(layout, "--profile", "simulator", "build")
    _run(layout, "up", "-d")
    content = _access(layout, settings, secrets)
    write_access(layout, content)
    _wait_gateway(settings)
    if settings.sim_devices:
        owner = register_owner(settings, secrets)
        _run(layout, "--profile", "simulator", "up", "-d")
        _wait_simulator(layout)
        if not settings.carrier_url:
            grant_owner(settings, secrets)
            if owner is not None and settings.sandbox_sims:
                give_sims(settings, secrets, owner)
    return content


def down(layout: Layout) -> bool:
    """Stop and remove the containers; volumes stay."""
    if not (layout.home / "compose.env").exists():
        return False
    _run(layout, "--profile", "simulator", "down", "--remove-orphans")
    return True


def reset(layout: Layout) -> None:
    """Remove containers and volumes."""
    if (layout.home / "compose.env").exists():
        _run(layout, "--profile", "simulator", "down", "--remove-orphans", "--volumes")


def status(layout: Layout) -> int:
    """Show the containers; the exit status of compose."""
    return _run(layout, "ps", check=False)


def logs(layout: Layout, service: str) -> int:
    """Show the end of the logs; the exit status of compose."""
    return _run(layout, "logs", "--tail=100", *([service] if service else []), check=False)


def compose_command() -> list[str]:
    """`docker compose`, or the older docker-compose; raises CannotStart when there is neither."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise CannotStart(
        "Docker answers but docker compose is missing: install docker-compose, or use MODE=native."
    )


def project(layout: Layout) -> str:
    """Name of this clone's containers and volumes; another clone has another."""
    return f"fleet-{hashlib.sha256(str(layout.root).encode()).hexdigest()[:6]}"


def _compose(layout: Layout) -> list[str]:
    command = [*compose_command(), "-p", project(layout), "--env-file", str(layout.home / "compose.env")]
    return command + [part for file in FILES for part in ("-f", str(layout.root / file))]


def _run(layout: Layout, *arguments: str, check: bool = True) -> int:
    command = [*_compose(layout), *arguments]
    result = subprocess.run(command, cwd=layout.root, check=False)
    if check and result.returncode != 0:
        raise CannotStart(f"`{' '.join(command)}` failed; see above.")
    return result.returncode


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _wait_gateway(settings: FleetSettings) -> None:
    def healthy() -> bool:
        try:
            return httpx.get(f"{settings.gateway_url}/health", timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    _wait(healthy, "The containers are not healthy")


def _wait_simulator(layout: Layout) -> None:
    def healthy() -> bool:
        container = _output(*_compose(layout), "ps", "-q", "device-simulator")
        return _output("docker", "inspect", "-f", "{{.State.Health.Status}}", container) == "healthy"

    _wait(healthy, "The simulator has not registered its devices")


def _wait(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise CannotStart(f"{complaint} after {HEALTHY_SECONDS} s; see `make logs`.")
        time.sleep(0.5)


def _access(layout: Layout, settings: FleetSettings, secrets: Secrets) -> dict[str, Any]:
    mongo_url = f"mongodb://fleet:{secrets.mongo}@127.0.0.1:{settings.mongo_port}/?{MONGO_OPTIONS}"
    return {
        **addresses(settings, secrets, mqtt=settings.mqtt_address(bounds_packets=True), mongo_url=mongo_url),
        "postgres_url": f"postgresql://postgres:{secrets.postgres_admin}@127.0.0.1:{settings.postgres_port}/postgres",
        "redis_url": f"redis://:{secrets.redis}@127.0.0.1:{settings.redis_port}/0",
        "pids": {},
        "containers": f"docker ps --filter label=com.docker.compose.project={project(layout)}",
    }

"""`python -m fleet_infra up|down|status|logs|reset|dev|broker-user`: what the Makefile calls."""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from fleet_infra import compose, teardown
from fleet_infra.containers import docker_answers
from fleet_infra.databases import MigrationFailed
from fleet_infra.errors import CannotStart
from fleet_infra.fleet import Fleet
from fleet_infra.fleet_servers import mqtt_address
from fleet_infra.health import Unhealthy, ask, health_urls
from fleet_infra.layout import Layout
from fleet_infra.producers import make_producer
from fleet_infra.progress import Steps
from fleet_infra.servers import NotReady
from fleet_infra.servers.accounts import services_stay_roots
from fleet_infra.settings import LOOPBACK, FleetSettings, SettingsRefused, example, load

console = Console()

MQTT_STAYS_INSIDE = (
    "MQTT listens on 127.0.0.1 only: whoever reaches the MQTT port of a RabbitMQ before version 4 can fill "
    "its memory. Run the fleet in containers, let devices use HTTP, or take the risk with MQTT_BIND_ADDRESS."
)

SERVICES_STAY_ROOTS = (
    "The services and MongoDB's server run as root: the user `fleet` cannot read this clone or its Python. "
    "Clone to /opt/fleet or the like and use Debian's Python, or start the fleet from an ordinary account."
)


def main() -> None:
    """Run one command; failures end with one clear sentence and status 1."""
    parser = argparse.ArgumentParser(prog="python -m fleet_infra", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("--name", default=os.environ.get("NAME", ""), help="of the user (broker-user)")
    parser.add_argument("--service", default=os.environ.get("SERVICE", ""), help="only this one (logs, dev)")
    parser.add_argument(
        "--yes", action="store_true", default=os.environ.get("YES") == "1", help="do not ask (reset)"
    )
    arguments = parser.parse_args()
    try:
        with exclusive(arguments.command):
            COMMANDS[arguments.command](arguments)
    except (SettingsRefused, CannotStart) as error:
        sys.exit(str(error))
    except Unhealthy as error:
        sys.exit(f"Not healthy in time: {error}\n{_hint(error)}")
    except (NotReady, MigrationFailed, TimeoutError) as error:
        sys.exit(f"{error}\nLogs: {Layout.of_clone().logs}")
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def exclusive(command: str) -> Iterator[None]:
    """Commands that change the fleet wait for each other."""
    if command not in {"up", "down", "reset"}:
        yield
        return
    layout = Layout.of_clone()
    layout.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (layout.home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def mode() -> str:
    """`compose` or `native`: MODE decides, else whether a Docker engine answers."""
    forced = os.environ.get("MODE", "")
    if forced not in {"", "native", "compose"}:
        raise SettingsRefused(f"MODE={forced} is not possible: it is native or compose.")
    return forced or ("compose" if docker_answers() else "native")


def this_fleet() -> Fleet:
    """The fleet of this clone."""
    layout = Layout.of_clone()
    return Fleet(layout, load(layout.env_file))


def up(_arguments: argparse.Namespace) -> None:
    """Bring the fleet up and say where it is."""
    started = time.monotonic()
    fleet = this_fleet()
    if mode() == "compose":
        content = compose.up(fleet.layout, fleet.settings)
    else:
        with Steps(console) as steps:
            content = fleet.up(steps)
        if mqtt_stays_inside(fleet.settings):
            console.print(MQTT_STAYS_INSIDE)
        if services_stay_roots():
            console.print(SERVICES_STAY_ROOTS)
    console.print(_where(content, fleet.layout))
    console.print(f"Up after {time.monotonic() - started:.0f} s. `make status`, `make logs`, `make down`.")


def down(_arguments: argparse.Namespace) -> None:
    """Stop everything, in whichever way it runs."""
    layout = Layout.of_clone()
    stopped = teardown.stop(layout)
    if mode() == "compose":
        stopped = compose.down(layout) or stopped
    console.print("The fleet is stopped; its data is kept." if stopped else "The fleet was not running.")


def status(_arguments: argparse.Namespace) -> None:
    """Show every program; status 1 unless all run and are well."""
    fleet = this_fleet()
    if mode() == "compose":
        sys.exit(compose.status(fleet.layout))
    if not fleet.supervisor.is_running():
        sys.exit("The fleet is not running; start it with `make up`.")
    urls = health_urls(fleet.settings)
    table = Table("program", "state", "pid", "health")
    well = True
    with httpx.Client(timeout=5, trust_env=False) as client:
        for info in fleet.supervisor.processes():
            health = ask(client, urls[info["name"]]) if info["name"] in urls else ""
            well = well and info["statename"] == "RUNNING" and health in {"", "ok"}
            table.add_row(info["name"], info["statename"].lower(), str(info["pid"] or ""), health)
    console.print(table)
    sys.exit(0 if well else 1)


def logs(arguments: argparse.Namespace) -> None:
    """Show the end of the logs; on a terminal, follow them."""
    layout = Layout.of_clone()
    if mode() == "compose":
        sys.exit(compose.logs(layout, arguments.service))
    files = sorted(layout.logs.glob("*.log"))
    names = [file.stem for file in files]
    if arguments.service:
        files = [file for file in files if file.stem == arguments.service]
    if not files:
        sys.exit(f"There is no log of that name; there are: {', '.join(names) or 'none yet'}.")
    follow = ["-F"] if sys.stdout.isatty() else []
    subprocess.run([shutil.which("tail") or "tail", "-n", "100", *follow, *map(str, files)], check=False)


def dev(arguments: argparse.Namespace) -> None:
    """Run one service of the fleet from its sources, started again on every change."""
    from fleet_infra.dev import dev as run_from_sources

    run_from_sources(Layout.of_clone(), arguments.service)


def reset(arguments: argparse.Namespace) -> None:
    """Delete all data and secrets, after asking."""
    layout = Layout.of_clone()
    if not arguments.yes:
        answer = (
            input("This deletes all data and secrets of this fleet. Type yes: ") if sys.stdin.isatty() else ""
        )
        if answer.strip().lower() != "yes":
            sys.exit("Nothing was deleted. (`make reset YES=1` does not ask.)")
    if mode() == "compose":
        compose.reset(layout)
    teardown.reset(layout)
    console.print("All data and secrets are deleted.")


def broker_user(arguments: argparse.Namespace) -> None:
    """Make a trusted producer at the broker, and show its password this once."""
    file = Layout.of_clone().access_file
    if not file.exists():
        raise CannotStart("The fleet is not running; start it with `make up`.")
    password = make_producer(json.loads(file.read_text(encoding="utf-8")), arguments.name)
    console.print(f"user      {arguments.name}\npassword  {password}", highlight=False)
    console.print("Shown once; the same command makes a new one. It is trusted with every device.")


def example_settings(_arguments: argparse.Namespace) -> None:
    """Print .env.example."""
    print(example(), end="")


def _where(content: dict[str, Any], layout: Layout) -> Table:
    table = Table(show_header=False)
    table.add_row("Page", f"{content['gateway_url']}/")
    table.add_row("API docs", f"{content['gateway_url']}/docs")
    table.add_row("RabbitMQ management", content["rabbitmq_management_url"])
    table.add_row("Logins", str(layout.access_file))
    return table


def mqtt_stays_inside(settings: FleetSettings) -> bool:
    """Whether the owner of a fleet without containers asked for another address, and MQTT has none."""
    return mqtt_address(settings) == LOOPBACK != settings.bind_address and not settings.mqtt_bind_address


def _hint(error: Unhealthy) -> str:
    return "\n".join(f"`make logs SERVICE={name}`" for name in error.answers)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "up": up,
    "down": down,
    "status": status,
    "logs": logs,
    "reset": reset,
    "dev": dev,
    "broker-user": broker_user,
    "example-settings": example_settings,
}

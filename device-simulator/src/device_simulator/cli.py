"""The command `device-simulator`."""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from device_simulator.access import DEFAULT_FILE, PASSWORD_VARIABLE, Access, Overrides, read_access
from device_simulator.device import Pace
from device_simulator.errors import CannotStart
from device_simulator.profiles import DevicesFile, blueprints
from device_simulator.run import Plan, Transport, simulate
from device_simulator.timeline import Timeline

STATE_NAME = "simulator-devices.json"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


Email = Annotated[
    str | None,
    typer.Option(envvar="FLEET_EMAIL", help=f"Who owns the devices; password in {PASSWORD_VARIABLE}."),
]
StateFile = Annotated[
    Path | None,
    typer.Option(help=f"Where device keys are kept, else {STATE_NAME} beside the access file."),
]
GiveUp = Annotated[float, typer.Option(min=1, help="Seconds after which a reading counts as lost.")]
Start = Annotated[
    str | None, typer.Option(help="Measure from this past moment on (2026-11-01T00:00:00Z or -14d).")
]
Speed = Annotated[
    float, typer.Option(min=0.001, max=1_000_000, help="Simulated seconds a real second, with --start.")
]
SandboxUrl = Annotated[
    str | None,
    typer.Option(
        envvar="FLEET_SANDBOX_URL",
        help="Put SIMs into the devices, and book their data_bytes at this carrier's sandbox.",
    ),
]


@app.command()
def simulate_devices(
    devices: Annotated[int, typer.Option(min=1, max=100_000, help="How many devices.")] = 20,
    rate: Annotated[float, typer.Option(min=0.001, max=10_000, help="Readings a second, each device.")] = 1,
    duration: Annotated[float, typer.Option(min=0, help="Seconds; 0: until SIGTERM or Ctrl-C.")] = 0,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Readings a message.")] = 1,
    transport: Annotated[Transport, typer.Option(help="How readings travel.")] = Transport.MQTT,
    ids_file: Annotated[Path | None, typer.Option(help="Write a line for each reading to this file.")] = None,
    profile: Annotated[str | None, typer.Option(help="Only devices of this profile.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same values.")] = 1,
    config: Annotated[Path | None, typer.Option(help="Another devices.yaml.")] = None,
    access: Annotated[Path | None, typer.Option(help=f"Access file, else {DEFAULT_FILE} if there.")] = None,
    gateway_url: Annotated[str | None, typer.Option(envvar="FLEET_GATEWAY_URL")] = None,
    email: Email = None,
    mqtt: Annotated[str | None, typer.Option(envvar="FLEET_MQTT", help="host:port of MQTT.")] = None,
    amqp: Annotated[str | None, typer.Option(envvar="FLEET_AMQP", help="host:port of AMQP.")] = None,
    state_file: StateFile = None,
    prefix: Annotated[str, typer.Option(help="Names of the devices begin with this.")] = "sim",
    give_up: GiveUp = 300,
    drain: Annotated[float, typer.Option(min=0, help="Seconds for the last confirmations at the end.")] = 30,
    start: Start = None,
    speed: Speed = 1,
    sandbox_url: SandboxUrl = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait for the gateway to come up.")] = 120,
) -> None:
    """Simulate devices that report to the fleet, and count what became of every reading."""
    file = DevicesFile.read(config).only(profile)
    timeline = Timeline.beginning(start, speed)
    plan = Plan(
        blueprints=blueprints(file, devices, prefix),
        transport=transport,
        pace=Pace(rate, batch, give_up),
        seed=seed,
        time_scale=1 if timeline.simulated else file.time_scale,
        duration=duration or None,
        drain=drain,
        ids_file=ids_file,
        state_file=state_file or (access or DEFAULT_FILE).with_name(STATE_NAME),
        patience=patience,
        timeline=timeline,
        sandbox_url=sandbox_url,
    )
    _run(plan, read_access(access, Overrides(gateway_url, email, mqtt, amqp)))


def _run(plan: Plan, access: Access) -> None:
    counts = asyncio.run(simulate(plan, access))
    print(counts, flush=True)
    if counts.attempted and not counts.accepted:
        raise typer.Exit(1)


def main() -> None:
    """Run the command; what keeps it from starting is said in one sentence, with exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("aio_pika").setLevel(logging.ERROR)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)
    try:
        app()
    except* CannotStart as errors:
        cause: BaseException = errors
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        print(f"device-simulator: {cause}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()

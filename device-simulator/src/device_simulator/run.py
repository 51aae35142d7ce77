"""One run of the simulator, from enrolment to the last decision."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from device_simulator import progress
from device_simulator.access import Access
from device_simulator.api import FleetApi
from device_simulator.carrier import CarrierUsage
from device_simulator.credentials import Credential
from device_simulator.device import Device, Pace
from device_simulator.enrolment import KeyStore, enrol
from device_simulator.errors import CannotStart
from device_simulator.ledger import Counts, Ledger
from device_simulator.links import MakeLink
from device_simulator.links.amqp import AmqpLink
from device_simulator.links.http import HttpLink
from device_simulator.links.mqtt import MqttLink
from device_simulator.profiles import Blueprint, Sensors
from device_simulator.simcards import SimCards
from device_simulator.tasks import all_of, background, stop_signals, until
from device_simulator.timeline import PRESENT, Timeline


class Transport(StrEnum):
    """How readings travel."""

    MQTT = "mqtt"
    HTTP = "http"
    AMQP = "amqp"


DRAIN_AFTER_SIGNAL = 8.0
"""Seconds for the last confirmations when a supervisor is waiting for this process to end."""
LATE = 1.0
"""Seconds after the duration at which a device that could not keep up stops measuring."""

LINKS: dict[Transport, MakeLink] = {
    Transport.MQTT: MqttLink,
    Transport.HTTP: HttpLink,
    Transport.AMQP: AmqpLink,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does. `duration`: seconds, None: until stopped; `drain`: seconds for the rest at the end.

    `sandbox_url`: the carrier's sandbox that hears what the devices sent, None: nobody does.
    """

    blueprints: Sequence[Blueprint]
    transport: Transport
    pace: Pace
    seed: int
    time_scale: float
    duration: float | None
    drain: float
    ids_file: Path | None
    state_file: Path
    patience: float
    timeline: Timeline = PRESENT
    sandbox_url: str | None = None

    @property
    def longest(self) -> float | None:
        """Seconds after which nothing is measured any more."""
        return None if self.duration is None else self.duration + LATE


async def simulate(plan: Plan, access: Access) -> Counts:
    """Enrol the devices and let them report; ends with the duration, SIGTERM or SIGINT."""
    with stop_signals() as stop:
        credentials = await until(stop, enrolled(plan, access))
        async with carrier_usage(plan, access, credentials or []) as usage:
            with Ledger(plan.ids_file, usage.accepted if usage else None) as ledger:
                if credentials is not None:
                    await report(plan, access, credentials, ledger, stop)
                return ledger.counts


@asynccontextmanager
async def carrier_usage(
    plan: Plan, access: Access, credentials: Sequence[Credential]
) -> AsyncIterator[CarrierUsage | None]:
    """Gives the devices SIMs and tells the carrier's sandbox what they send; nothing without a sandbox.

    Where the past is simulated, all devices need their SIM at once: raises CannotStart.
    """
    if plan.sandbox_url is None or not credentials:
        yield None
        return
    cards = SimCards([credential.id for credential in credentials])
    async with FleetApi(access.addresses.gateway_url, plan.patience) as api:
        await api.login(access.email, access.password)
        await cards.deal(api)
        if cards.missing and plan.timeline.simulated:
            raise CannotStart(f"{cards.missing} devices have no SIM, and the organisation has no free ones")
        usage = CarrierUsage(plan.sandbox_url, cards, dated=plan.timeline.simulated)
        async with usage.running(), background(cards.keep_dealing(api, access.email, access.password)):
            yield usage


async def enrolled(plan: Plan, access: Access) -> list[Credential]:
    """The credentials of the plan's devices."""
    async with FleetApi(access.addresses.gateway_url, plan.patience) as api:
        await api.login(access.email, access.password)
        return await enrol(api, plan.blueprints, KeyStore(plan.state_file))


async def report(
    plan: Plan, access: Access, credentials: Sequence[Credential], ledger: Ledger, stop: asyncio.Event
) -> None:
    """Let all devices measure and send, then wait for the last confirmations."""
    make = LINKS[plan.transport]
    devices = [
        Device(
            credential.id,
            Sensors(blueprint, plan.seed, plan.time_scale),
            make(credential, access.addresses),
            ledger,
            plan.pace,
            plan.timeline,
        )
        for blueprint, credential in zip(plan.blueprints, credentials, strict=True)
    ]
    wanted = None if plan.duration is None else plan.pace.messages(plan.duration)
    messages = plan.timeline.messages(wanted, plan.pace.batch, plan.pace.rate)
    total = None if messages is None else messages * plan.pace.batch * len(devices)
    async with background(progress.show(ledger.counts, total)):
        async with background(*(device.send() for device in devices)):
            await until(stop, all_of(device.measure(messages) for device in devices), plan.longest)
            drain = min(plan.drain, DRAIN_AFTER_SIGNAL) if stop.is_set() else plan.drain
            await until(asyncio.Event(), all_of(device.emptied() for device in devices), drain)
        for device in devices:
            device.give_up()

"""One simulated device: measures on time, keeps what is not accepted yet, and sends it until it is."""

import asyncio
import logging
import math
import random
import uuid
from dataclasses import dataclass

from device_simulator.errors import NotAccepted, Refused
from device_simulator.ledger import Ledger
from device_simulator.links import Link
from device_simulator.profiles import Sensors
from device_simulator.timeline import PRESENT, Timeline
from fleet_contracts.telemetry import Reading, encode_readings

log = logging.getLogger(__name__)

MEMORY = 1000
"""Messages a device holds while it cannot send; when full it measures no more until there is room."""
WINDOW_SECONDS = 0.25
"""A fast device has about this much of its output on its way without confirmation."""
LARGEST_WINDOW = 150
FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0
"""Seconds before the same message is sent again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate`: readings a second; `batch`: readings a message; `give_up`: seconds after which one is lost."""

    rate: float
    batch: int
    give_up: float

    @property
    def interval(self) -> float:
        """Seconds between two messages."""
        return self.batch / self.rate

    @property
    def window(self) -> int:
        """Messages on their way at the same time."""
        return min(LARGEST_WINDOW, max(1, math.ceil(WINDOW_SECONDS / self.interval)))

    def messages(self, duration: float) -> int:
        """Messages one device makes in `duration` seconds."""
        return round(duration / self.interval)


@dataclass(frozen=True, slots=True)
class Message:
    """Readings that travel together; sent again, it is the same bytes with the same ids."""

    id: str
    readings: list[Reading]
    body: bytes
    expires: float


class Device:
    """Measures into its memory and sends from it; `measure` ends by itself, `send` runs until cancelled."""

    def __init__(
        self,
        device_id: str,
        sensors: Sensors,
        link: Link,
        ledger: Ledger,
        pace: Pace,
        timeline: Timeline = PRESENT,
    ) -> None:
        self._id, self._sensors, self._link = device_id, sensors, link
        self._ledger, self._pace, self._timeline = ledger, pace, timeline
        self._measured = 0
        self._memory: asyncio.Queue[Message] = asyncio.Queue(MEMORY)

    async def measure(self, messages: int | None) -> None:
        """Make so many messages (None: without end), evenly in time; devices do not march in step."""
        clock = asyncio.get_running_loop().time
        due = clock() + random.uniform(0, self._pace.interval)  # noqa: S311
        made = 0
        while messages is None or made < messages:
            await asyncio.sleep(max(0.0, due - clock()))
            message = self._message(clock())
            await self._memory.put(message)
            self._ledger.attempted(len(message.readings))
            made += 1
            due += self._pace.interval

    def _message(self, now: float) -> Message:
        step = self._timeline.step(self._pace.rate)
        moments = self._timeline.moments(self._measured, self._pace.batch, step)
        readings = [Reading(str(uuid.uuid4()), moment, self._sensors.read(step)) for moment in moments]
        self._measured += len(readings)
        return Message(readings[0].id, readings, encode_readings(readings), now + self._pace.give_up)

    async def send(self) -> None:
        """Send what is in memory, a window of messages at a time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run())
            for _ in range(self._pace.window):
                group.create_task(self._deliver_all())

    async def emptied(self) -> None:
        """Return once the fate of every message is known."""
        await self._memory.join()

    def give_up(self) -> None:
        """Write off what never left the memory; call after `send` was cancelled."""
        while not self._memory.empty():
            self._decided(self._memory.get_nowait(), accepted=False)

    async def _deliver_all(self) -> None:
        while True:
            message = await self._memory.get()
            accepted = False
            try:
                accepted = await self._deliver(message)
            finally:
                self._decided(message, accepted=accepted)

    async def _deliver(self, message: Message) -> bool:
        delay = FIRST_DELAY
        clock = asyncio.get_running_loop().time
        while clock() < message.expires:
            try:
                await self._link.send(message.body, message.id)
            except NotAccepted as error:
                await asyncio.sleep(max(error.wait, delay * random.uniform(0.5, 1)))  # noqa: S311
                delay = min(delay * 2, LONGEST_DELAY)
            except Refused as error:
                log.warning("%s: refused: %s", self._id, error)
                return False
            else:
                return True
        log.warning("%s: given up after %.0f s: message %s", self._id, self._pace.give_up, message.id)
        return False

    def _decided(self, message: Message, *, accepted: bool) -> None:
        self._ledger.decided(self._id, message.readings, accepted=accepted)
        self._memory.task_done()

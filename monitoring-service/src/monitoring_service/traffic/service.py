"""Limits on what arrives over MQTT, by device and by organisation.

The broker takes what a device publishes as fast as it comes, and its statistics show neither short sessions
nor the number of messages. What each device sent is known for certain here, where its messages are taken, and
what it has sent beyond that is estimated: the queue is in the order of arrival, so what was taken is a sample
of what waits.
Only while messages wait are the limits applied. Those of a device that is beyond them are set aside, in a
queue that is worked off when nothing else waits; and device-service is told who it is, to end it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from fleet_kit.batching import Backlog

UNKNOWN_SECONDS = 300.0
"""What waits when the process begins may have waited for so long, or for longer: see `has_waited`."""
BEHIND_SECONDS = 0.5
"""For so long messages have to wait before anybody is to blame."""
LEAST_SAMPLE = 20
"""So many messages of one sender say something about those of it that wait; fewer are chance."""
MAX_SCALE = 10.0
"""However many wait, what was taken of a sender is no proof of more than so many times as much: those that
wait have come later, and may be all of somebody else."""
MOST_SECONDS = 10.0
"""For so long what was set aside waits for its turn."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as far as limits go. Nobody answers for that of an unknown device, `organization` None.

    `cost`: bytes that it counts for.
    """

    organization: str | None
    device: str
    cost: int


MustWait = Callable[[str], bool]
"""Whether the messages of a device have to wait."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Bytes that may come in some seconds, and at once."""

    per_second: float
    burst: float

    def allows(self, cost: float, seconds: float) -> bool:
        """Whether so much may have come in so many seconds."""
        return cost <= self.burst + self.per_second * seconds


@dataclass(slots=True)
class _Taken:
    """What was taken since nothing waited, what was in hand then included: others wait for that too."""

    since: float
    messages: int = 0
    of: dict[str | None, "_Sent"] = field(default_factory=dict)
    """By organisation."""

    def add(self, messages: Sequence[Message], sign: int = 1) -> None:
        self.messages += sign * len(messages)
        for message in messages:
            sent = self.of.setdefault(message.organization, _Sent())
            sent.messages[message.device] += sign
            sent.costs[message.device] += sign * message.cost


@dataclass(slots=True)
class _Sent:
    """What was taken of one organisation, by device."""

    messages: Counter[str] = field(default_factory=Counter)
    costs: Counter[str] = field(default_factory=Counter)


class TrafficLimit:
    """Says which messages have to wait; `find_excess` finds who is beyond the limits."""

    def __init__(self, device: Rate, organization: Rate, backlog: Backlog) -> None:
        self._device, self._organization, self._backlog = device, organization, backlog
        self._taken = _Taken(time.monotonic() - UNKNOWN_SECONDS)
        self._excessive = frozenset[str]()
        self._sending = set[str]()
        self._in_hand: list[Sequence[Message]] = []
        self._caught_up = asyncio.Event()

    @contextmanager
    def beyond(self, messages: Sequence[Message]) -> Iterator[MustWait]:
        """Says of each device whether its messages have to wait, also if it is found out meanwhile.

        Where the block fails, nothing of the batch counts.
        """
        self._in_hand.append(messages)
        self._taken.add(messages)
        self._sending.update(message.device for message in messages)
        try:
            # Where the broker takes nothing, what it has is worked off as it comes.
            yield lambda device: device in self._excessive and not self._backlog.is_blocked
        except BaseException:
            self._taken.add(messages, -1)
            raise
        finally:
            self._in_hand.remove(messages)

    async def others_served(self) -> None:
        """Return once nothing else waits, or after MOST_SECONDS: what was set aside has its turn."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MOST_SECONDS):
                await self._caught_up.wait()

    def has_waited(self, seconds: float) -> None:
        """What waits now may have come for so many seconds: those of an outage are nobody's excess."""
        self._taken.since = min(self._taken.since, time.monotonic() - seconds)

    def find_excess(self, now: float, depth: int) -> dict[str, list[str]]:
        """Devices beyond the limits that have sent something since the last call, by organisation.

        Of each organisation those come first that have sent the most.

        `now`: seconds of time.monotonic; `depth`: messages that wait in the queue.
        """
        if depth or self._backlog.is_waiting:
            self._caught_up.clear()
        else:
            self._caught_up.set()
            self._taken = _Taken(now)
            for messages in self._in_hand:
                self._taken.add(messages)
        found = self._found(now - self._taken.since, depth)
        self._excessive = frozenset(device for devices in found.values() for device in devices)
        sending, self._sending = self._sending, {one.device for batch in self._in_hand for one in batch}
        told = {owner: [one for one in devices if one in sending] for owner, devices in found.items()}
        return {owner: devices for owner, devices in told.items() if devices}

    def _found(self, seconds: float, depth: int) -> dict[str, list[str]]:
        taken = self._taken
        if seconds < BEHIND_SECONDS or not taken.messages:
            return {}
        scale = min(MAX_SCALE, 1 + depth / taken.messages)
        return {
            owner: devices
            for owner, sent in taken.of.items()
            if owner is not None and (devices := list(self._beyond(sent, scale, seconds)))
        }

    def _beyond(self, sent: _Sent, scale: float, seconds: float) -> Iterator[str]:
        """Of one organisation each device that is beyond its limit, and beside them those that send most.

        `scale`: how much more there is of each than was taken, where that was enough to say so.
        """
        of_all = scale if sent.messages.total() >= LEAST_SAMPLE else 1
        total = sent.costs.total() * of_all
        most = max(sent.costs.values()) * scale
        if self._organization.allows(total, seconds) and self._device.allows(most, seconds):
            return  # with so many devices that are within their limits, sorting them takes long
        for device, cost in sent.costs.most_common():
            of_one = scale if sent.messages[device] >= LEAST_SAMPLE else 1
            together = self._organization.allows(total, seconds)
            if together and self._device.allows(cost * of_one, seconds):
                continue
            total -= cost * of_all
            yield device

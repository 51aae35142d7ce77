"""Pushes of many usage records and events, in the platform's own terms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sim_service.carrier.models import CarrierEvent


class UsageRecord(NamedTuple):
    """Usage that ended at `at` (UTC), MO sent by the SIM, MT sent to it; the same `id` is the same record."""

    id: str
    iccid: str
    at: datetime
    data_mo_bytes: int
    data_mt_bytes: int
    sms_mo: int
    sms_mt: int


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record that says too little, and the field it fails at; `iccid` where that much could be read."""

    field: str
    reason: str
    record: object
    iccid: str | None = None


@dataclass(slots=True)
class StreamBatch:
    usage: list[UsageRecord] = field(default_factory=list)
    events: list[CarrierEvent] = field(default_factory=list)
    unreadable: list[UnreadableRecord] = field(default_factory=list)


class Window(NamedTuple):
    """Usage that ended outside of it cannot be taken: too old to know whether it came before, or ahead."""

    oldest: datetime
    latest: datetime


StreamReader = Callable[[Sequence[object], Window, StreamBatch], None]
"""Sorts decoded JSON records into a StreamBatch. Raises nothing."""

"""What a carrier's push of many records holds, in our own words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sim_service.carrier.facts import CarrierEvent


class UsageRecord(NamedTuple):
    """Usage of one SIM that ended at `at` (UTC): bytes and messages, MO sent by the SIM, MT sent to it.

    `id` is the carrier's: the same one means the same record, however often it comes.
    """

    id: str
    iccid: str
    at: datetime
    data_mo_bytes: int
    data_mt_bytes: int
    sms_mo: int
    sms_mt: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that says too little, and the field it fails at; `iccid` where that much could be read."""

    field: str
    reason: str
    record: object
    iccid: str | None = None


@dataclass(slots=True)
class Streamed:
    """A push, sorted."""

    usage: list[UsageRecord] = field(default_factory=list)
    events: list[CarrierEvent] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


class Window(NamedTuple):
    """Usage that ended outside of it cannot be taken: too old to know whether it came before, or ahead."""

    oldest: datetime
    latest: datetime


StreamReader = Callable[[Sequence[object], Window, Streamed], None]
"""Sorts records, as they came out of JSON, into a Streamed. Raises nothing."""

"""What a SIM used: the seeded past spread over its days, plus what was booked."""

from datetime import date, timedelta

from once_sandbox.chance import share
from once_sandbox.clock import as_day
from once_sandbox.sims.models import Sim
from once_sandbox.usage.models import UsageDay
from once_sandbox.world import World

MONTHS_KEPT = 6
SENT_SHARE = 0.8
_DATA, _SMS = 101, 102


def kept_since(today: date) -> date:
    """The first day that can still be asked for."""
    months = today.year * 12 + today.month - 1 - MONTHS_KEPT
    return date(months // 12, months % 12 + 1, min(today.day, 28))


def usage_days(world: World, sim: Sim, first: date, last: date) -> list[tuple[date, UsageDay]]:
    """Each day from `first` to `last` that 1NCE keeps, newest first, days without traffic included."""
    today = world.clock.today()
    first, last = max(first, kept_since(today)), min(last, today)
    days = [last - timedelta(days=back) for back in range((last - first).days + 1)]
    return [(day, usage_of(world, sim, day)) for day in days]


def usage_of(world: World, sim: Sim, day: date) -> UsageDay:
    """The SIM's volumes on one day."""
    volumes = _seeded(world, sim, day)
    booked = world.usage.booked(sim.iccid, day)
    if booked is not None:
        volumes.add(booked)
    return volumes


def _seeded(world: World, sim: Sim, day: date) -> UsageDay:
    first = as_day(sim.activated_at)
    span = (as_day(world.born_at) - first).days
    place = (day - first).days
    if span <= 0 or not 0 <= place < span:
        return UsageDay()
    data = _part((world.seed, sim.index, _DATA), sim.before_data, place, span)
    messages = _part((world.seed, sim.index, _SMS), sim.before_sms, place, span)
    sent = int(data * SENT_SHARE)
    return UsageDay(sent, data - sent, messages // 2, messages - messages // 2)


def _part(purpose: tuple[int, int, int], whole: int, place: int, span: int) -> int:
    """One day's part of what was used before the sandbox began; the parts add up to it exactly."""

    def until(days: int) -> int:
        jitter = 0.0 if days in {0, span} else share(*purpose, days)
        return int(whole * (days + jitter) / span)

    return until(place + 1) - until(place)

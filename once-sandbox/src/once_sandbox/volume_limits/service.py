"""Setting limits, and whether one stops a SIM."""

from datetime import date, timedelta

from once_sandbox.errors import ApiError
from once_sandbox.sims.models import Sim
from once_sandbox.usage.models import UsageDay
from once_sandbox.usage.service import usage_of
from once_sandbox.volume_limits.models import DATA_OPTIONS, SMS_OPTIONS
from once_sandbox.volume_limits.schemas import SetLimits
from once_sandbox.wire import MEGABYTE
from once_sandbox.world import World


def set_limits(world: World, wanted: SetLimits) -> None:
    """Set the limits that are given; raises ApiError 400 for an id that cannot be chosen."""
    choices = (
        ("dataLimitId", wanted.data, DATA_OPTIONS),
        ("smsMtLimitId", wanted.sms_mt, SMS_OPTIONS),
        ("smsMoLimitId", wanted.sms_mo, SMS_OPTIONS),
    )
    for name, chosen, options in choices:
        if chosen is not None and chosen not in options:
            raise ApiError(400, f"{name}: {chosen} is not one of the limits that can be chosen")
    limits = world.volume_limits
    limits.data = limits.data if wanted.data is None else wanted.data
    limits.sms_mt = limits.sms_mt if wanted.sms_mt is None else wanted.sms_mt
    limits.sms_mo = limits.sms_mo if wanted.sms_mo is None else wanted.sms_mo


def data_stopped(world: World, sim: Sim) -> bool:
    """Whether this month's data limit has been reached."""
    chosen = world.volume_limits.data
    if chosen is None:
        return False
    month = _month(world, sim)
    return month.sent + month.received >= DATA_OPTIONS[chosen] * MEGABYTE


def sms_stopped(world: World, sim: Sim, *, sent_by_sim: bool) -> bool:
    """Whether this month's limit of messages in that direction has been reached."""
    limits = world.volume_limits
    chosen = limits.sms_mo if sent_by_sim else limits.sms_mt
    if chosen is None:
        return False
    month = _month(world, sim)
    return (month.sms_sent if sent_by_sim else month.sms_received) >= SMS_OPTIONS[chosen]


def _month(world: World, sim: Sim) -> UsageDay:
    today = world.clock.today()
    if world.behaviours.limit_scope == "organisation":
        return world.usage.monthly.get(f"{today:%Y-%m}", UsageDay())
    total = UsageDay()
    first = date(today.year, today.month, 1)
    for back in range((today - first).days + 1):
        total.add(usage_of(world, sim, today - timedelta(days=back)))
    return total

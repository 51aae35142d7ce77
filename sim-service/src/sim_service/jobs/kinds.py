"""The rules of each kind of job, in one table.

A new kind needs its name in JobKind, a row here, and its handler in worker.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sim_service.jobs.models import JobKind
from sim_service.settings import Settings


class Reach(StrEnum):
    """What a job covers: the carrier's whole account, one organisation's SIMs, or either."""

    ACCOUNT = "account"
    ORGANIZATION = "organization"
    EITHER = "either"


class Asker(StrEnum):
    """Who may ask for a job with POST /jobs; `nobody`: it comes from an endpoint or a job of its own."""

    OPERATOR = "operator"
    PLATFORM = "platform"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class KindRules:
    """How jobs of a kind come about.

    Unless `many`, one is open at a time for the account and one for each organisation. Of `many`, each
    organisation's begin in their order: one that is put off, or waits for its next attempt, lets the next
    begin and later goes on beside it. `closes`: ended, its handler is called once more, to say what becomes
    of the parts. `long`: it asks the carrier for each of many SIMs, for hours where there are thousands, and
    leaves room for the others. `every`: the seconds from one run for the whole account to the next (0 is
    off), changed by PATCH /jobs/schedules; None: it has no schedule.
    """

    reach: Reach = Reach.ACCOUNT
    asker: Asker = Asker.PLATFORM
    many: bool = False
    closes: bool = False
    long: bool = False
    every: Callable[[Settings], float] | None = None


KINDS: Mapping[JobKind, KindRules] = {
    JobKind.CLEANUP: KindRules(every=lambda settings: settings.cleanup_every_seconds),
    JobKind.BULK: KindRules(reach=Reach.ORGANIZATION, asker=Asker.NOBODY, many=True, closes=True),
    JobKind.SYNC_SIMS: KindRules(
        asker=Asker.OPERATOR, every=lambda settings: settings.sim_sync_every_seconds
    ),
    JobKind.REFRESH_QUOTAS: KindRules(reach=Reach.EITHER, asker=Asker.OPERATOR, long=True),
    JobKind.SYNC_USAGE: KindRules(
        reach=Reach.EITHER,
        asker=Asker.OPERATOR,
        long=True,
        every=lambda settings: settings.usage_sync_every_seconds,
    ),
    JobKind.SEND_DUE_SMS: KindRules(),
    JobKind.SMS_STATES: KindRules(),
    JobKind.SYNC_TICKETS: KindRules(
        asker=Asker.OPERATOR, every=lambda settings: settings.ticket_sync_every_seconds
    ),
    JobKind.SYNC_EVENTS: KindRules(
        reach=Reach.EITHER,
        asker=Asker.OPERATOR,
        long=True,
        every=lambda settings: settings.event_sync_every_seconds,
    ),
    JobKind.RECONCILE: KindRules(),
    JobKind.FORECAST_QUOTAS: KindRules(
        reach=Reach.EITHER,
        asker=Asker.OPERATOR,
        long=True,
        every=lambda settings: settings.quota_forecast_every_seconds,
    ),
    JobKind.SYNC_ORDERS: KindRules(
        asker=Asker.OPERATOR, every=lambda settings: settings.order_sync_every_seconds
    ),
    JobKind.SYNC_PRODUCTS: KindRules(every=lambda settings: settings.product_sync_every_seconds),
    JobKind.APPLY_POLICIES: KindRules(
        reach=Reach.EITHER,
        asker=Asker.OPERATOR,
        long=True,
        every=lambda settings: settings.policy_every_seconds,
    ),
    JobKind.EVALUATE_POLICY: KindRules(reach=Reach.ORGANIZATION, asker=Asker.NOBODY, many=True),
}

LONG = frozenset(kind for kind, rules in KINDS.items() if rules.long)
OTHERS = frozenset(KINDS) - LONG


def default_periods(settings: Settings) -> dict[JobKind, float]:
    """Seconds between two runs of each kind that has a schedule, as the settings say."""
    return {kind: rules.every(settings) for kind, rules in KINDS.items() if rules.every is not None}

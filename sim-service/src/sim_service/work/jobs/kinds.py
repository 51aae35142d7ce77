"""The rules of each kind of job, in one table.

A new kind needs its name in JobKind, a row here, and its handler in worker.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sim_service.settings import Settings
from sim_service.work.jobs.models import JobKind


class JobScope(StrEnum):
    """What a job covers: the carrier's whole account, one organisation's SIMs, or either."""

    ACCOUNT = "account"
    ORGANIZATION = "organization"
    EITHER = "either"


class Trigger(StrEnum):
    """Who may start a job with POST /jobs; `internal`: only an endpoint or a job of its own does."""

    OPERATOR = "operator"
    PLATFORM = "platform"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class KindRules:
    """How jobs of a kind come about.

    Unless `many`, one is open at a time for the account and one for each organisation. Of `many`, those of an
    organisation start in their order: one that is deferred, or waits for its next attempt, lets the next one
    start and later runs beside it. `closes`: once cancelled, its handler is called again, to settle the parts
    that were begun. `long`: it asks the carrier for each of many SIMs, for hours where there are thousands,
    and takes no slot of the other kinds. `stepwise`: it does so step by step, in turn with the jobs of other
    organisations, so that many of them run at once. `every`: the seconds from one run for the whole account
    to the next (0 is off), changed by PATCH /jobs/schedules; None: it has no schedule.
    """

    scope: JobScope = JobScope.ACCOUNT
    trigger: Trigger = Trigger.PLATFORM
    many: bool = False
    closes: bool = False
    long: bool = False
    stepwise: bool = False
    every: Callable[[Settings], float] | None = None


def _each_sim(every: Callable[[Settings], float] | None = None) -> KindRules:
    return KindRules(scope=JobScope.EITHER, trigger=Trigger.OPERATOR, long=True, every=every)


KINDS: Mapping[JobKind, KindRules] = {
    JobKind.CLEANUP: KindRules(every=lambda settings: settings.cleanup_every_seconds),
    JobKind.BULK: KindRules(scope=JobScope.ORGANIZATION, trigger=Trigger.INTERNAL, many=True, closes=True),
    JobKind.IMPORT_SIMS: KindRules(scope=JobScope.ORGANIZATION, trigger=Trigger.INTERNAL),
    JobKind.SYNC_SIMS: KindRules(
        trigger=Trigger.OPERATOR, every=lambda settings: settings.sim_sync_every_seconds
    ),
    JobKind.REFRESH_QUOTAS: _each_sim(),
    JobKind.SYNC_USAGE: _each_sim(lambda settings: settings.usage_sync_every_seconds),
    JobKind.SEND_DUE_SMS: KindRules(),
    JobKind.POLL_SMS_STATUS: KindRules(),
    JobKind.SYNC_TICKETS: KindRules(
        trigger=Trigger.OPERATOR, every=lambda settings: settings.ticket_sync_every_seconds
    ),
    JobKind.SYNC_EVENTS: _each_sim(lambda settings: settings.event_sync_every_seconds),
    JobKind.RECONCILE_ACTIONS: KindRules(),
    JobKind.FORECAST_QUOTAS: _each_sim(lambda settings: settings.quota_forecast_every_seconds),
    JobKind.SYNC_ORDERS: KindRules(
        trigger=Trigger.OPERATOR, every=lambda settings: settings.order_sync_every_seconds
    ),
    JobKind.SYNC_PRODUCTS: KindRules(every=lambda settings: settings.product_sync_every_seconds),
    JobKind.APPLY_POLICIES: KindRules(
        scope=JobScope.EITHER,
        trigger=Trigger.OPERATOR,
        stepwise=True,
        every=lambda settings: settings.policy_every_seconds,
    ),
    JobKind.EVALUATE_POLICY: KindRules(
        scope=JobScope.ORGANIZATION, trigger=Trigger.INTERNAL, many=True, stepwise=True
    ),
}

LONG = frozenset(kind for kind, rules in KINDS.items() if rules.long)
STEPWISE = frozenset(kind for kind, rules in KINDS.items() if rules.stepwise)
OTHERS = frozenset(KINDS) - LONG - STEPWISE


def default_periods(settings: Settings) -> dict[JobKind, float]:
    """Seconds between two runs of each kind that has a schedule, as the settings say."""
    return {kind: rules.every(settings) for kind, rules in KINDS.items() if rules.every is not None}

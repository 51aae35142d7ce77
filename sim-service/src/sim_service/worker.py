"""`python -m sim_service.worker`: outbox relay, device events, jobs and their schedule."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from fleet_contracts.events import FleetEvent
from fleet_contracts.topology import SIM_EVENTS
from fleet_kit.consumer import BatchConsumer
from fleet_kit.denylist import open_redis
from fleet_kit.event_handlers import each_event
from fleet_kit.messaging import Publisher
from fleet_kit.relay import OutboxRelay
from fleet_kit.worker import every, main, run_worker
from sim_service.bulk.actions import bulk_work
from sim_service.cleanup.service import cleanup
from sim_service.dispatch.parts import dispatching
from sim_service.events.jobs import EventSync
from sim_service.jobs.models import JobKind
from sim_service.jobs.runner import JobRunner
from sim_service.lifecycle.reconcile import Reconciler
from sim_service.links.consumers import DeviceEvents
from sim_service.orders.placing import OrderPlacer
from sim_service.orders.sync import OrderSync
from sim_service.policies.evaluation import Evaluator
from sim_service.policies.jobs import PolicyJobs
from sim_service.products.service import ProductService
from sim_service.quotas.refreshing import QuotaForecasts, QuotaRefresh
from sim_service.settings import Settings, get_settings
from sim_service.sms.duty import SmsDuty
from sim_service.sync.service import SyncOfAll
from sim_service.tickets.sync import TicketSync
from sim_service.topups.ledger import Prices
from sim_service.topups.resolver import Resolver
from sim_service.usage.sync import UsageSync
from sim_service.usage.upkeep import UsageUpkeep
from sim_service.volumes.consumers import VolumeEvents
from sim_service.wiring import Resources, open_resources

NAME = "sim-worker"
_PURGE_SECONDS = 3600
_UPKEEP_SECONDS = 3600
_TELL_SECONDS = 10


async def run(settings: Settings) -> None:
    """Run until stopped."""
    url = settings.amqp_url.get_secret_value()
    publisher = Publisher(url, NAME, timeout_seconds=settings.publish_timeout_seconds)
    async with _resources(settings) as resources:
        relay = OutboxRelay(resources.engine, publisher)
        consumer = BatchConsumer(url, SIM_EVENTS, each_event(_hearing(resources)), publisher, NAME)
        top_ups = resolver(settings, resources)
        orders = OrderPlacer(resources.sessions, resources.carrier, give_up=settings.topup_give_up_seconds)
        sms = sms_duty(settings, resources)
        upkeep = usage_upkeep(settings, resources)
        await run_worker(
            NAME,
            settings,
            {
                "relay": relay.run,
                "purge": partial(every, _PURGE_SECONDS, relay.purge, name="purge"),
                "consume": consumer.run,
                "top-ups": partial(every, settings.topup_look_seconds, top_ups.look, name="top-ups"),
                "orders": partial(every, settings.topup_look_seconds, orders.look, name="orders"),
                "usage upkeep": partial(every, _UPKEEP_SECONDS, upkeep.round, name="usage upkeep"),
                "usage tell": partial(every, _TELL_SECONDS, upkeep.tell, name="usage tell"),
                "changes": reconciler(settings, resources).run,
                "send sms": partial(every, settings.sms_look_every_seconds, sms.send_due, name="send sms"),
                "follow sms": partial(every, settings.sms_look_every_seconds, sms.look, name="follow sms"),
                **dispatching(settings, resources.sessions, job_runner(settings, resources), NAME),
            },
            checks={
                "postgres": resources.check_database,
                "broker": publisher.check,
                "consumer": consumer.check,
            },
            stops=[consumer.stop],
        )
    await publisher.close()


def _hearing(resources: Resources) -> Callable[[FleetEvent], Awaitable[None]]:
    """Each event goes to those who know its type; the others pass it over."""
    devices, volumes = DeviceEvents(resources.sessions), VolumeEvents(resources.sessions)

    async def hear(event: FleetEvent) -> None:
        await devices.handle(event)
        await volumes.handle(event)

    return hear


def job_runner(settings: Settings, resources: Resources) -> JobRunner:
    """Every kind of job and who does it."""
    sync = SyncOfAll(
        resources.carrier,
        parallel=settings.sync_parallel_pages,
        owner_of_new=settings.carrier_default_organization,
    )
    quotas = QuotaRefresh(resources.sessions, resources.carrier)
    orders = OrderSync(resources.sessions, resources.carrier, resolver(settings, resources))
    products = ProductService(resources.sessions, resources.carrier, fresh=0)
    policies = PolicyJobs(resources.sessions, evaluator(settings, resources))
    forecasts = QuotaForecasts(resources.sessions, resources.carrier)
    sms = sms_duty(settings, resources)
    tickets = TicketSync(resources.sessions, resources.carrier, settled_after=settings.ticket_settled_seconds)
    events = EventSync(resources.sessions, resources.carrier)
    handlers = {
        JobKind.CLEANUP: cleanup(settings, resources.sessions).run,
        JobKind.BULK: bulk_work(settings, resources.carrier).run,
        JobKind.SYNC_SIMS: sync.run,
        JobKind.REFRESH_QUOTAS: quotas.run,
        JobKind.SYNC_USAGE: usage_sync(settings, resources).run,
        JobKind.SEND_DUE_SMS: sms.run_sending,
        JobKind.SMS_STATES: sms.run_states,
        JobKind.SYNC_TICKETS: tickets.run,
        JobKind.SYNC_EVENTS: events.run,
        JobKind.FORECAST_QUOTAS: forecasts.run,
        JobKind.SYNC_ORDERS: orders.run,
        JobKind.SYNC_PRODUCTS: products.run,
        JobKind.APPLY_POLICIES: policies.run_all,
        JobKind.EVALUATE_POLICY: policies.run_one,
        JobKind.RECONCILE: reconciler(settings, resources).run_job,
    }
    return JobRunner(resources.sessions, handlers, lease=settings.job_lease_seconds)


def usage_upkeep(settings: Settings, resources: Resources) -> UsageUpkeep:
    """What keeps the tables of usage in shape."""
    return UsageUpkeep(
        resources.sessions,
        kept_days={
            "sim_usage": settings.usage_days_kept,
            "sim_usage_hours": settings.usage_hours_kept,
            "device_usage": settings.usage_days_kept,
            "stream_records": settings.stream_records_kept_days,
        },
    )


def usage_sync(settings: Settings, resources: Resources) -> UsageSync:
    """What asks for the usage of all SIMs."""
    return UsageSync(
        resources.sessions,
        resources.carrier,
        parallel=settings.usage_parallel_calls,
        streamed_every=settings.usage_streamed_every_seconds,
    )


def resolver(settings: Settings, resources: Resources) -> Resolver:
    """What follows top-ups and extensions to their end."""
    return Resolver(resources.sessions, resources.carrier, give_up=settings.topup_give_up_seconds)


def evaluator(settings: Settings, resources: Resources) -> Evaluator:
    """What evaluates top-up policies."""
    return Evaluator(
        resources.sessions,
        resources.carrier,
        prices=Prices(settings.topup_price, settings.topup_currency),
        payment=settings.carrier_payment_method,
    )


def reconciler(settings: Settings, resources: Resources) -> Reconciler:
    """What brings SIMs to what is wanted of them."""
    return Reconciler(
        resources.sessions,
        resources.carrier,
        lease=settings.job_lease_seconds,
        most_attempts=settings.action_attempts,
        drift=settings.drift_policy,
        parallel=settings.action_parallel,
    )


def sms_duty(settings: Settings, resources: Resources) -> SmsDuty:
    """What the worker does for messages all the time, besides jobs that are asked for."""
    return SmsDuty(resources.sessions, resources.carrier, settled_after=settings.sms_settled_seconds)


@asynccontextmanager
async def _resources(settings: Settings) -> AsyncIterator[Resources]:
    redis = open_redis(settings.redis_url.get_secret_value())
    try:
        async with open_resources(settings, redis, NAME) as resources:
            yield resources
    finally:
        await redis.aclose()


if __name__ == "__main__":
    main(partial(run, get_settings()))

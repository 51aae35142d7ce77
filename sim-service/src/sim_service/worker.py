"""`python -m sim_service.worker`: outbox relay, device events, jobs and their schedule."""

from collections.abc import Awaitable, Callable
from functools import partial

from fleet_contracts.events import FleetEvent
from fleet_contracts.topology import SIM_EVENTS
from fleet_kit.consumer import BatchConsumer
from fleet_kit.event_handlers import on_each_event
from fleet_kit.messaging import Publisher
from fleet_kit.notifications import Notifications
from fleet_kit.redis_client import open_redis
from fleet_kit.relay import OutboxRelay
from fleet_kit.worker import every, main, run_worker
from fleet_kit.write_checks import postgres_writes
from sim_service.billing.orders.jobs import OrderSyncJob
from sim_service.billing.orders.placement import OrderPlacement
from sim_service.billing.policies.evaluation import Evaluator
from sim_service.billing.policies.jobs import PolicyJobs
from sim_service.billing.products.jobs import ProductSyncJob
from sim_service.billing.products.service import ProductService
from sim_service.billing.topups.ledger import prices_of
from sim_service.billing.topups.reconciliation import TopUpReconciler
from sim_service.bulk.step_registry import bulk_jobs
from sim_service.inventory.links.consumers import DeviceEvents
from sim_service.inventory.sync.jobs import FullSimSync
from sim_service.lifecycle.actions.reconciler import ActionReconciler
from sim_service.lifecycle.network_events.jobs import NetworkEventSync
from sim_service.messages.sms.jobs import SmsJobs
from sim_service.messages.tickets.jobs import TicketSyncJob
from sim_service.provisioning.imports.jobs import ImportJobs
from sim_service.provisioning.imports.reading import FileReader
from sim_service.retention import retention_rules
from sim_service.settings import Settings, settings
from sim_service.usage.device_usage.consumers import DeviceVolumeEvents
from sim_service.usage.quotas.jobs import QuotaForecastJob, QuotaRefreshJob
from sim_service.usage.quotas.service import QuotaService
from sim_service.usage.sim_usage.jobs import UsageSyncJob
from sim_service.usage.sim_usage.maintenance import UsageMaintenance
from sim_service.wiring import Resources, open_resources
from sim_service.work.cleanup.service import Cleanup
from sim_service.work.jobs.dispatcher import JobDispatcher
from sim_service.work.jobs.kinds import default_periods
from sim_service.work.jobs.models import CHANNEL, JobKind
from sim_service.work.jobs.runner import JobRunner
from sim_service.work.schedules.service import Scheduler

NAME = "sim-worker"


async def run(settings: Settings) -> None:
    """Run until stopped."""
    url = settings.amqp_url.get_secret_value()
    publisher = Publisher(url, NAME, timeout_seconds=settings.publish_timeout_seconds)
    async with (
        open_redis(settings.redis_url.get_secret_value()) as redis,
        open_resources(settings, redis, NAME) as resources,
    ):
        relay = OutboxRelay(resources.engine, publisher)
        consumer = BatchConsumer(url, SIM_EVENTS, on_each_event(event_handler(resources)), publisher, NAME)
        dispatcher = JobDispatcher(
            job_runner(settings, resources),
            Notifications(resources.engine, CHANNEL),
            slots=settings.jobs_parallel,
        )
        await run_worker(
            NAME,
            settings,
            {
                "relay": relay.run,
                "purge": partial(every, 3600, relay.purge, name="purge"),
                "consume": consumer.run,
                "changes": reconciler(settings, resources).run,
                "jobs": dispatcher.run,
                "schedules": Scheduler(resources.sessions, default_periods(settings)).run,
                **periodic_tasks(settings, resources),
            },
            checks={
                "postgres": resources.check_database,
                "postgres writes": postgres_writes(resources.engine),
                "broker": publisher.check,
                "consumer": consumer.check,
            },
            stops=[consumer.stop],
        )
    await publisher.close()


def event_handler(resources: Resources) -> Callable[[FleetEvent], Awaitable[None]]:
    """Each handler passes over the events whose type it does not know."""
    devices, volumes = DeviceEvents(resources.sessions), DeviceVolumeEvents(resources.sessions)

    async def handle(event: FleetEvent) -> None:
        await devices.handle(event)
        await volumes.handle(event)

    return handle


def periodic_tasks(settings: Settings, resources: Resources) -> dict[str, Callable[[], Awaitable[None]]]:
    orders = OrderPlacement(resources.sessions, resources.carrier, give_up=settings.topup_give_up_seconds)
    sms = sms_jobs(settings, resources)
    usage = UsageMaintenance(
        resources.sessions,
        kept_days={
            "sim_usage": settings.usage_days_kept,
            "sim_usage_hours": settings.usage_hours_kept,
            "device_usage": settings.usage_days_kept,
            "stream_records": settings.stream_records_kept_days,
        },
    )
    tasks = {
        "top-ups": (settings.topup_look_seconds, top_up_reconciler(settings, resources).poll),
        "orders": (settings.topup_look_seconds, orders.poll),
        "usage maintenance": (3600, usage.run),
        "usage tell": (10, usage.publish_streamed),
        "send sms": (settings.sms_look_every_seconds, sms.send_due),
        "follow sms": (settings.sms_look_every_seconds, sms.poll_due),
        "incomplete sms": (settings.sms_look_every_seconds, sms.expire_incomplete),
    }
    return {name: partial(every, seconds, task, name=name) for name, (seconds, task) in tasks.items()}


def job_runner(settings: Settings, resources: Resources) -> JobRunner:
    sessions, carrier = resources.sessions, resources.carrier
    sync = FullSimSync(
        carrier,
        parallel=settings.sync_parallel_pages,
        owner_of_new=settings.carrier_default_organization,
        quotas_outdated=QuotaService.outdated_exist,
    )
    usage = UsageSyncJob(
        sessions,
        carrier,
        parallel=settings.usage_parallel_calls,
        streamed_every=settings.usage_streamed_every_seconds,
    )
    orders = OrderSyncJob(sessions, carrier, top_up_reconciler(settings, resources))
    policies = PolicyJobs(sessions, evaluator(settings, resources))
    sms = sms_jobs(settings, resources)
    tickets = TicketSyncJob(sessions, carrier, settled_after=settings.ticket_settled_seconds)
    handlers = {
        JobKind.CLEANUP: Cleanup(sessions, retention_rules(settings)).run,
        JobKind.IMPORT_SIMS: import_jobs(settings, resources).run,
        JobKind.BULK: bulk_jobs(settings, carrier).run,
        JobKind.SYNC_SIMS: sync.run,
        JobKind.REFRESH_QUOTAS: QuotaRefreshJob(sessions, carrier).run,
        JobKind.SYNC_USAGE: usage.run,
        JobKind.SEND_DUE_SMS: sms.run_sending,
        JobKind.POLL_SMS_STATUS: sms.run_polling,
        JobKind.SYNC_TICKETS: tickets.run,
        JobKind.SYNC_EVENTS: NetworkEventSync(sessions, carrier).run,
        JobKind.FORECAST_QUOTAS: QuotaForecastJob(sessions, carrier).run,
        JobKind.SYNC_ORDERS: orders.run,
        JobKind.SYNC_PRODUCTS: ProductSyncJob(ProductService(sessions, carrier, fresh=0)).run,
        JobKind.APPLY_POLICIES: policies.run_all,
        JobKind.EVALUATE_POLICY: policies.run_one,
        JobKind.RECONCILE_ACTIONS: reconciler(settings, resources).run_job,
    }
    return JobRunner(sessions, handlers, lease_seconds=settings.job_lease_seconds)


def import_jobs(settings: Settings, resources: Resources) -> ImportJobs:
    reader = FileReader(
        resources.spreadsheets, most_cells=settings.import_most_cells, seconds=settings.import_read_seconds
    )
    return ImportJobs(resources.sessions, reader)


def top_up_reconciler(settings: Settings, resources: Resources) -> TopUpReconciler:
    return TopUpReconciler(resources.sessions, resources.carrier, give_up=settings.topup_give_up_seconds)


def sms_jobs(settings: Settings, resources: Resources) -> SmsJobs:
    return SmsJobs(resources.sessions, resources.carrier, settled_after=settings.sms_settled_seconds)


def evaluator(settings: Settings, resources: Resources) -> Evaluator:
    return Evaluator(
        resources.sessions,
        resources.carrier,
        prices=prices_of(settings),
        payment=settings.carrier_payment_method,
    )


def reconciler(settings: Settings, resources: Resources) -> ActionReconciler:
    return ActionReconciler(
        resources.sessions,
        resources.carrier,
        lease=settings.job_lease_seconds,
        max_attempts=settings.action_attempts,
        drift=settings.drift_policy,
        parallel=settings.action_parallel,
    )


if __name__ == "__main__":
    main(partial(run, settings()))

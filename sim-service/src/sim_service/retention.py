"""Retention of rows that are deleted one by one: a rule per table, applied by cleanup jobs.

Tables of usage drop partitions (`usage/sim_usage/maintenance.py`), the outbox relay deletes sent events.
"""

from datetime import UTC, datetime, timedelta

from fleet_kit import idempotency
from fleet_kit.scope import EVERYTHING
from sim_service.billing.policies.repository import PolicyRepository
from sim_service.lifecycle.actions.repository import ActionRepository
from sim_service.lifecycle.network_events.repository import NetworkEventRepository
from sim_service.messages.sms.repository import SmsRepository
from sim_service.settings import Settings
from sim_service.work.cleanup.service import Rule
from sim_service.work.jobs.repository import JobRepository

_BATCH_ROWS = 5_000
_BATCH_JOBS = 100
"""Fewer, since a job takes its items along."""


def retention_rules(settings: Settings) -> dict[str, Rule]:
    """Rules by the name that the job's result gives them."""

    def before(days: float) -> datetime:
        return datetime.now(UTC) - timedelta(days=days)

    return {
        "jobs": lambda session: JobRepository(session, EVERYTHING).delete_older_than(
            before(settings.jobs_kept_days), _BATCH_JOBS
        ),
        "idempotency_keys": lambda session: idempotency.delete_older_than(
            session, before(settings.idempotency_kept_hours / 24), _BATCH_ROWS
        ),
        "policy_decisions": lambda session: PolicyRepository(session, EVERYTHING).delete_older_than(
            before(settings.policy_decisions_kept_days).date(), _BATCH_ROWS
        ),
        "sim_actions": lambda session: ActionRepository(session, EVERYTHING).delete_older_than(
            before(settings.action_kept_days), _BATCH_ROWS
        ),
        "sms_messages": lambda session: SmsRepository(session, EVERYTHING).delete_older_than(
            before(settings.sms_kept_days), _BATCH_ROWS
        ),
        "sim_events": lambda session: NetworkEventRepository(session, EVERYTHING).delete_older_than(
            before(settings.event_kept_days), _BATCH_ROWS
        ),
    }

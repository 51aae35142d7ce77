"""Retention of rows that are deleted one by one: a rule per table, applied by cleanup jobs.

Tables of usage drop partitions (`usage/sim_usage/maintenance.py`), the outbox relay deletes sent events.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, inspect, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from fleet_kit import idempotency
from sim_service.billing.policies.models import PolicyDecision
from sim_service.lifecycle.actions.models import SimAction
from sim_service.lifecycle.network_events.models import SimEvent
from sim_service.messages.sms.models import SmsMessage
from sim_service.settings import Settings
from sim_service.work.cleanup.service import Rule
from sim_service.work.jobs.service import JobService

_BATCH_ROWS = 5_000
_BATCH_JOBS = 100
"""Fewer, since a job takes its items along."""


def retention_rules(settings: Settings) -> dict[str, Rule]:
    """Rules by the name that the job's result gives them."""
    return {
        "jobs": lambda session: JobService(session).delete_older_than(
            _days_ago(settings.jobs_kept_days), _BATCH_JOBS
        ),
        "idempotency_keys": lambda session: idempotency.delete_older_than(
            session, _days_ago(settings.idempotency_kept_hours / 24), _BATCH_ROWS
        ),
        "policy_decisions": _delete_older(PolicyDecision.day, settings.policy_decisions_kept_days),
        "sim_actions": _delete_older(SimAction.finished_at, settings.action_kept_days),
        "sms_messages": _delete_older(
            SmsMessage.at, settings.sms_kept_days, SmsMessage.final_at.is_not(None)
        ),
        "sim_events": _delete_older(SimEvent.at, settings.event_kept_days),
    }


def _delete_older(moment: InstrumentedAttribute[Any], days: float, *conditions: ColumnElement[bool]) -> Rule:
    """The oldest rows of the table of `moment` go, unless `conditions` keep them."""
    model = moment.class_
    key = inspect(model).primary_key

    async def delete_batch(session: AsyncSession) -> int:
        before = literal(_days_ago(days), moment.type)
        oldest = select(*key).where(moment < before, *conditions).order_by(moment).limit(_BATCH_ROWS)
        statement = delete(model).where(tuple_(*key).in_(oldest)).returning(*key)
        return len((await session.execute(statement)).all())

    return delete_batch


def _days_ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)

"""Retention of rows that are deleted one by one: a rule per table, applied by cleanup jobs.

Tables of usage drop partitions (`usage/sim_usage/maintenance.py`), the outbox relay deletes sent events.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, TextClause, delete, inspect, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from fleet_kit import idempotency
from fleet_kit.limits import Limits
from sim_service.billing.orders.models import OrderRequest
from sim_service.billing.policies.models import Policy, PolicyDecision, Proposal
from sim_service.billing.purchases.models import FAILED_ROWS
from sim_service.billing.topups.models import TopUp
from sim_service.carrier.models import SmsDirection
from sim_service.inventory.devices.models import DeviceFacts
from sim_service.lifecycle.actions.models import SimAction
from sim_service.lifecycle.network_events.models import SimEvent
from sim_service.messages.sms.limits import SMS_WRITTEN
from sim_service.messages.sms.models import SmsMessage
from sim_service.provisioning.claim_codes.models import ClaimCode
from sim_service.provisioning.imports.models import SimImport
from sim_service.settings import Settings
from sim_service.work.cleanup.service import Rule
from sim_service.work.jobs.models import Job
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
        "policy_proposals": _delete_older(Proposal.decided_at, settings.policy_decisions_kept_days),
        "failed_top_ups": _delete_older(TopUp.settled_at, settings.failed_purchases_kept_days, FAILED_ROWS),
        "failed_orders": _delete_older(
            OrderRequest.settled_at, settings.failed_purchases_kept_days, FAILED_ROWS
        ),
        "deleted_devices": _delete_older(DeviceFacts.deleted_at, settings.deleted_devices_kept_days),
        "policy_decisions": _delete_older(PolicyDecision.day, settings.policy_decisions_kept_days),
        "deleted_policies": _delete_older(Policy.deleted_at, settings.policy_decisions_kept_days),
        "sim_actions": _delete_older(SimAction.finished_at, settings.action_kept_days),
        "sms_messages": lambda session: _delete_sms(session, settings.sms_kept_days),
        "import_files": _forget_files,
        "claim_codes": _delete_older(ClaimCode.expires_at, settings.claim_codes_kept_days),
        "sim_events": _delete_older(SimEvent.at, settings.event_kept_days),
    }


async def _forget_files(session: AsyncSession) -> int:
    """Files of imports whose job is over without having read them: it was cancelled, or has failed."""
    over = select(Job.id).where(Job.finished_at.is_not(None))
    left = SimImport.content.is_not(None), SimImport.job_id.in_(over)
    some = select(SimImport.job_id).where(*left).limit(_BATCH_JOBS)
    statement = update(SimImport).where(SimImport.job_id.in_(some)).values(content=None)
    return len((await session.execute(statement.returning(SimImport.job_id))).all())


async def _delete_sms(session: AsyncSession, days: float) -> int:
    """The oldest messages whose fate is known go; those that were written here count no more."""
    old = SmsMessage.at < _days_ago(days), SmsMessage.final_at.is_not(None)
    oldest = select(SmsMessage.id).where(*old).order_by(SmsMessage.at).limit(_BATCH_ROWS)
    columns = SmsMessage.organization_id, SmsMessage.direction
    gone = (
        await session.execute(delete(SmsMessage).where(SmsMessage.id.in_(oldest)).returning(*columns))
    ).all()
    written = Counter(row.organization_id for row in gone if row.direction == SmsDirection.MT)
    for organization_id in sorted(written):  # in one order, or two of these deadlock
        await Limits(session, {}).give_back(organization_id, SMS_WRITTEN, written[organization_id])
    return len(gone)


def _delete_older(
    moment: InstrumentedAttribute[Any], days: float, *conditions: ColumnElement[bool] | TextClause
) -> Rule:
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

"""Maps each bulk action to its step, made from the parameters that the job has stored."""

from collections.abc import Callable, Mapping
from typing import Any

from sim_service.billing.topups.ledger import TopUpRequest, prices_of
from sim_service.billing.topups.schemas import TopUpIn
from sim_service.bulk.jobs import BulkJobs
from sim_service.bulk.paid_steps import SmsStep, TopUpStep
from sim_service.bulk.schemas import BulkAction
from sim_service.bulk.steps import ChangeStep, Step, TagStep
from sim_service.carrier.base import Carrier
from sim_service.carrier.models import SimChange, SimStatus
from sim_service.messages.sms.schemas import SmsIn
from sim_service.settings import Settings


def bulk_jobs(settings: Settings, carrier: Carrier) -> BulkJobs:
    steps: Mapping[BulkAction, Callable[[Mapping[str, Any]], Step]] = {
        BulkAction.ENABLE: lambda _: ChangeStep(SimChange(status=SimStatus.ENABLED)),
        BulkAction.DISABLE: lambda _: ChangeStep(SimChange(status=SimStatus.DISABLED)),
        BulkAction.LABEL: lambda params: ChangeStep(SimChange(label=params["label"])),
        BulkAction.TAG: lambda params: TagStep(add=params["tags"]),
        BulkAction.UNTAG: lambda params: TagStep(remove=params["tags"]),
        BulkAction.TOP_UP: lambda params: _top_up(settings, carrier, TopUpIn(**params)),
        BulkAction.SMS: lambda params: SmsStep(
            SmsIn(**params).draft(),
            most_parts=settings.sms_most_parts,
            most_kept=settings.sms_per_organization,
        ),
    }
    return BulkJobs(
        lambda kept: steps[BulkAction(kept["action"])](kept["params"]), follow=settings.bulk_follow_seconds
    )


def _top_up(settings: Settings, carrier: Carrier, wanted: TopUpIn) -> Step:
    purchase = TopUpRequest(
        payment=wanted.payment_method or settings.carrier_payment_method,
        even_if_ordered=wanted.even_if_ordered,
    )
    return TopUpStep(carrier, prices_of(settings), purchase)

"""Which step does which action, with the parameters that the job has kept."""

from collections.abc import Callable, Mapping
from typing import Any

from sim_service.bulk.schemas import BulkAction
from sim_service.bulk.spending import SmsStep, TopUpStep
from sim_service.bulk.steps import ChangeStep, Step, TagStep
from sim_service.bulk.work import BulkWork
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import SimChange, SimStatus
from sim_service.settings import Settings
from sim_service.sms.schemas import SmsIn
from sim_service.topups.ledger import Prices, Purchase
from sim_service.topups.schemas import TopUpIn


def bulk_work(settings: Settings, carrier: Carrier) -> BulkWork:
    """The handler of bulk jobs."""
    steps: Mapping[BulkAction, Callable[[Mapping[str, Any]], Step]] = {
        BulkAction.ENABLE: lambda _: ChangeStep(SimChange(status=SimStatus.ENABLED)),
        BulkAction.DISABLE: lambda _: ChangeStep(SimChange(status=SimStatus.DISABLED)),
        BulkAction.LABEL: lambda params: ChangeStep(SimChange(label=params["label"])),
        BulkAction.TAG: lambda params: TagStep(add=params["tags"]),
        BulkAction.UNTAG: lambda params: TagStep(remove=params["tags"]),
        BulkAction.TOP_UP: lambda params: _top_up(settings, carrier, TopUpIn(**params)),
        BulkAction.SMS: lambda params: SmsStep(SmsIn(**params).draft(), most_parts=settings.sms_most_parts),
    }
    return BulkWork(
        lambda kept: steps[BulkAction(kept["action"])](kept["params"]), follow=settings.bulk_follow_seconds
    )


def _top_up(settings: Settings, carrier: Carrier, wanted: TopUpIn) -> Step:
    purchase = Purchase(
        payment=wanted.payment_method or settings.carrier_payment_method,
        even_if_ordered=wanted.even_if_ordered,
    )
    return TopUpStep(carrier, Prices(settings.topup_price, settings.topup_currency), purchase)

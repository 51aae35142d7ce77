"""Pushes of single messages and of delivery reports, in the platform's own terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sim_service.carrier.models import CarrierSms, SmsState


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """The final or intermediate state of a message to a SIM; `id` is the carrier's."""

    id: str
    iccid: str
    state: SmsState
    delivered_at: datetime | None


class SmsPushReader(Protocol):
    """Reads pushes; raises 422 naming the field that cannot be read."""

    def received(self, record: Mapping[str, Any]) -> CarrierSms:
        """A message from a SIM, or a part of one: `udh` says so in every form of the push."""

    def report(self, record: Mapping[str, Any]) -> DeliveryReport: ...

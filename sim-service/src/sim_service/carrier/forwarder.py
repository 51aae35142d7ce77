"""What a carrier's push of one message, or of the end of one, holds, in our own words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sim_service.carrier.facts import CarrierSms, SmsState


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of a message to a SIM; `id` is the carrier's."""

    id: str
    iccid: str
    state: SmsState
    delivered_at: datetime | None


class ForwarderReader(Protocol):
    """Reads pushes; raises 422 naming the field that cannot be read."""

    def received(self, record: Mapping[str, Any]) -> CarrierSms:
        """A message from a SIM, or a part of one: `udh` says so, however the carrier told it."""
        ...

    def report(self, record: Mapping[str, Any]) -> DeliveryReport:
        """A delivery report."""
        ...

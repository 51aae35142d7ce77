"""What a diagnosis goes by, and what it can find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeVar

from fleet_kit.errors import FleetError
from sim_service.carrier.facts import NetworkState
from sim_service.connectivity.models import SimConnectivity
from sim_service.devices.models import DeviceFacts
from sim_service.events.models import SimEvent
from sim_service.freshness import Known
from sim_service.quotas.models import SimQuota
from sim_service.sims.models import Sim

T = TypeVar("T")


class Effect(IntEnum):
    """What a cause does, the worst last: nothing, worth a look, explains silence, stops data for certain."""

    NOTE = 0
    ATTENTION = 1
    SILENCE = 2
    BLOCK = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that was found; `evidence` are the facts it rests on."""

    code: str
    effect: Effect
    explanation: str
    advice: str
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """A source that was looked at; `failure`: why there is nothing newer, or nothing at all."""

    what: str
    as_of: datetime | None
    failure: FleetError | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a SIM and its device. None: nothing is known, see `checked`.

    `refusal`: why the carrier would not speak of the SIM. `trusted`: seconds for which ATTACHED is believed.
    """

    sim: Sim
    data: SimQuota | None
    sms: SimQuota | None
    network: Known[SimConnectivity] | None
    events: Sequence[SimEvent]
    device: DeviceFacts | None
    checked: Sequence[Checked]
    refusal: FleetError | None
    trusted: float

    @property
    def state(self) -> NetworkState:
        """How the SIM stands in the network, UNKNOWN where nothing is known."""
        return NetworkState(self.network.value.state) if self.network else NetworkState.UNKNOWN

    def last(self, *types: str) -> SimEvent | None:
        """The newest event of these types."""
        return next((event for event in self.events if event.type in types), None)


def when(moment: datetime | None) -> str:
    """A moment for a sentence."""
    return "an unknown time" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")

"""The evidence of a diagnosis and the causes that it can find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum

from fleet_kit.errors import FleetError
from sim_service.carrier.freshness import Known
from sim_service.carrier.models import NetworkState
from sim_service.inventory.devices.models import DeviceFacts
from sim_service.inventory.sims.models import Sim
from sim_service.lifecycle.connectivity.models import SimConnectivity
from sim_service.lifecycle.network_events.models import SimEvent
from sim_service.usage.quotas.models import SimQuota


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
class SourceCheck:
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
    checked: Sequence[SourceCheck]
    refusal: FleetError | None
    trusted: float

    @property
    def state(self) -> NetworkState:
        """How the SIM stands in the network, UNKNOWN where nothing is known."""
        return NetworkState(self.network.value.state) if self.network else NetworkState.UNKNOWN

    def last(self, *types: str) -> SimEvent | None:
        return next((event for event in self.events if event.type in types), None)


def when(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")

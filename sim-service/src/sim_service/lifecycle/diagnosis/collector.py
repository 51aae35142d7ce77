"""Collects the evidence from all sources at once; a failed source does not fail the others."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.scope import Scope
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierRejected, CarrierSimNotFound
from sim_service.carrier.freshness import FALLBACK_ERRORS, Known
from sim_service.carrier.models import QuotaKind
from sim_service.inventory.devices.models import DeviceFacts
from sim_service.inventory.devices.service import DeviceService
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.inventory.sync.service import SingleSimSync
from sim_service.lifecycle.connectivity.service import ConnectivityService
from sim_service.lifecycle.diagnosis.evidence import Evidence, SourceCheck
from sim_service.lifecycle.network_events.service import NetworkEventService
from sim_service.settings import Settings
from sim_service.usage.quotas.service import QuotaService

T = TypeVar("T")

_FAILURES: tuple[type[FleetError], ...] = (*FALLBACK_ERRORS, CarrierRejected)
_EVENTS = 200
"""Newest events that are looked at."""


@dataclass(frozen=True, slots=True)
class _Part(Generic[T]):
    """The answer of one source; `failure`: why there is nothing newer, or nothing at all."""

    value: T | None
    as_of: datetime | None
    failure: FleetError | None

    def checked(self, what: str) -> SourceCheck:
        return SourceCheck(what, self.as_of, self.failure)


class EvidenceCollector:
    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, settings: Settings) -> None:
        self._sessions, self._scope, self._trusted = sessions, scope, settings.attached_trusted_seconds
        self._sync = SingleSimSync(sessions, scope, carrier)
        self._quotas = QuotaService(sessions, scope, carrier, fresh=settings.quota_fresh_seconds)
        self._connectivity = ConnectivityService(
            sessions, scope, carrier, fresh=settings.connectivity_fresh_seconds
        )
        self._events = NetworkEventService(sessions, scope, carrier, fresh=settings.event_fresh_seconds)

    async def collect(self, iccid: str) -> Evidence:
        """All that can be known; raises NotFound, or Conflict for an unclaimed SIM."""
        await self._sim(iccid)
        card, data, sms, network, events = await asyncio.gather(
            _part(self._card(iccid)),
            _part(self._quotas.read(iccid, QuotaKind.DATA)),
            _part(self._quotas.read(iccid, QuotaKind.SMS)),
            _part(self._connectivity.read(iccid)),
            _part(self._events.latest(iccid, _EVENTS)),
        )
        sim = await self._sim(iccid)
        device = await self._device(sim)
        checked = [
            SourceCheck("sim", sim.synced_at, card.failure),
            data.checked("data_quota"),
            sms.checked("sms_quota"),
            network.checked("connectivity"),
            events.checked("events"),
        ]
        if device is not None:
            checked.append(SourceCheck("device", device.last_seen_at))
        return Evidence(
            sim=sim,
            data=data.value,
            sms=sms.value,
            network=None
            if network.value is None or network.as_of is None
            else Known(network.value, network.as_of, network.failure),
            events=events.value or (),
            device=device,
            checked=checked,
            refusal=_refusal(checked),
            trusted=self._trusted,
        )

    async def _card(self, iccid: str) -> Known[Sim]:
        sim = await self._sync.run(iccid)
        return Known(sim, sim.synced_at)

    async def _sim(self, iccid: str) -> Sim:
        async with self._sessions() as session:
            sim = await SimService(session, self._scope).get(iccid)
            owner_of(sim)
            return sim

    async def _device(self, sim: Sim) -> DeviceFacts | None:
        if sim.device_id is None:
            return None
        async with self._sessions() as session:
            return await DeviceService(session, Scope(sim.organization_id)).get(sim.device_id)


async def _part(source: Awaitable[Known[T] | None]) -> _Part[T]:
    try:
        known = await source
    except _FAILURES as failure:
        return _Part(None, None, failure)
    return _Part(None, None, None) if known is None else _Part(known.value, known.as_of, known.failure)


def _refusal(checked: Sequence[SourceCheck]) -> FleetError | None:
    """The carrier's word that it will not speak of this SIM, whatever it was asked."""
    failures = (one.failure for one in checked)
    said = (failure for failure in failures if isinstance(failure, CarrierSimNotFound | CarrierRejected))
    return next(said, None)

"""The rules of the inventory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_contracts.events import FleetEvent
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.keyset import Found, Order
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.cache.changes import sims_changed
from sim_service.carrier.facts import CarrierSim
from sim_service.sims import events
from sim_service.sims.fields import MAX_TAGS
from sim_service.sims.models import CARRIER_FACTS, Sim
from sim_service.sims.repository import SimFilter, SimRepository


@dataclass(frozen=True, slots=True)
class Applied:
    """What taking over the carrier's facts did."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


class SimService:
    """SIMs as one organisation sees them."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session = session
        self._sims = SimRepository(session, scope)

    async def get(self, iccid: str, *, for_update: bool = False) -> Sim:
        """One SIM; raises NotFound also for another organisation's."""
        sim = await self._sims.get(iccid, for_update=for_update)
        if sim is None:
            raise not_found([iccid])
        return sim

    async def find(self, wanted: SimFilter, order: Order, paging: PageParams) -> Found[Sim]:
        """One page of the SIMs that pass the filter."""
        return await self._sims.page(wanted, order, paging)

    async def some(self, iccids: Sequence[str]) -> Sequence[Sim]:
        """Those of the SIMs that exist in scope."""
        return await self._sims.some(iccids)

    async def iccids(self, wanted: SimFilter, limit: int) -> Sequence[str]:
        """ICCIDs of the SIMs that pass the filter, in order."""
        return await self._sims.iccids(wanted, limit)

    async def locked(self, iccids: Sequence[str]) -> Sequence[Sim]:
        """Those of the SIMs that exist in scope, locked for a change."""
        return await self._sims.locked(iccids)

    async def locked_if_free(self, iccids: Sequence[str]) -> Sequence[Sim]:
        """Those of the SIMs that nobody else works on just now, locked for a change."""
        return await self._sims.locked_if_free(iccids)

    async def drifted(self, limit: int) -> Sequence[str]:
        """ICCIDs in a state that nobody asked for and that is to be looked at now."""
        return await self._sims.drifted(limit)

    async def in_device(self, device_id: UUID) -> Sim | None:
        """The SIM linked to a device; lock it before a change."""
        return await self._sims.of_device(device_id)

    async def take_over(
        self, facts: Sequence[CarrierSim], carrier: str, *, owner_of_new: UUID | None = None
    ) -> Applied:
        """Bring the rows up to the carrier's facts, writing only what differs, and tell of it."""
        known = {sim.iccid: sim for sim in await self._sims.locked([one.iccid for one in facts])}
        told: list[FleetEvent] = []
        updated = 0
        for one in facts:
            if (sim := known.get(one.iccid)) is not None:
                updated += _update(sim, one, told)
        rows = [_row(one, carrier, owner_of_new) for one in facts if one.iccid not in known]
        created = await self._sims.insert_new(rows)
        sims_changed(self._session, created, owner_of_new)
        for row in rows:
            told += events.updated(Sim(**row)) if row["iccid"] in created else []
        await self._session.flush()
        await Outbox(self._session).add(*told)
        return Applied(len(created), updated, len(facts) - len(rows) - updated)

    async def unlisted(self, carrier: str, listed: Select[str], *, after: str, limit: int) -> Sequence[str]:
        """ICCIDs behind `after` that count as present but are not in the subquery `listed`."""
        return await self._sims.unlisted(carrier, listed, after=after, limit=limit)

    async def mark_missing(self, iccid: str) -> bool:
        """Note that the carrier no longer knows a SIM; whether that is new."""
        sim = await self._sims.get(iccid, for_update=True)
        if sim is None or sim.missing_since is not None:
            return False
        sim.missing_since = sim.updated_at = datetime.now(UTC)
        return True

    async def describe(
        self, iccid: str, *, tags: list[str] | None = None, metadata: dict[str, Any] | None = None
    ) -> Sim:
        """Replace the owner's own notes on a SIM; None leaves them. Raises NotFound or Conflict."""
        sim = await self.get(iccid, for_update=True)
        owner_of(sim)
        sim.describe(tags, metadata)
        return sim

    async def tag(self, iccid: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Sim:
        """Add tags to a SIM and take others away; raises Conflict above MAX_TAGS."""
        sim = await self.get(iccid, for_update=True)
        owner_of(sim)
        gone = set(remove)
        tags = [tag for tag in dict.fromkeys([*sim.tags, *add]) if tag not in gone]
        if len(tags) > MAX_TAGS:
            raise Conflict(f"a SIM has at most {MAX_TAGS} tags", code="TOO_MANY_TAGS")
        sim.describe(tags, None)
        return sim

    async def tell(self, *sims: Sim | Row[Any]) -> None:
        """Publish the facts of SIMs whose owner or link changed."""
        await self._session.flush()
        await Outbox(self._session).add(*(event for sim in sims for event in events.updated(sim)))


def owner_of(sim: Sim) -> UUID:
    """The owner; raises Conflict for an unclaimed SIM."""
    if sim.organization_id is None:
        raise Conflict("the SIM belongs to no organisation yet; claim it first", code="SIM_UNCLAIMED")
    return sim.organization_id


def not_found(iccids: Sequence[str]) -> NotFound:
    """The error for SIMs that do not exist or belong to somebody else."""
    return NotFound("no such SIM", code="SIM_NOT_FOUND", details={"iccids": list(iccids)})


def require_all(iccids: Sequence[str], found: Sequence[Sim]) -> None:
    """Raise NotFound naming those of the SIMs that were not found."""
    there = {sim.iccid for sim in found}
    if missing := [iccid for iccid in iccids if iccid not in there]:
        raise not_found(missing)


def _update(sim: Sim, facts: CarrierSim, told: list[FleetEvent]) -> bool:
    previous = sim.status
    changed = sim.take_over(facts)
    if "status" in changed:
        told += events.status_changed(sim, previous)
    if changed & events.PUBLISHED:
        told += events.updated(sim)
    return bool(changed)


def _row(facts: CarrierSim, carrier: str, owner: UUID | None) -> dict[str, Any]:
    values = {name: getattr(facts, name) for name in CARRIER_FACTS}
    row = {"iccid": facts.iccid, "carrier": carrier, "organization_id": owner, "lifecycle": facts.status}
    return row | values

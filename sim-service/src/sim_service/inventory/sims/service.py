"""The rules of the inventory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from fleet_contracts.events import FleetEvent
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.outbox import Outbox
from sim_service.carrier.models import CarrierSim
from sim_service.inventory.sims import events
from sim_service.inventory.sims.cache_tags import sim_tags
from sim_service.inventory.sims.fields import MAX_TAGS
from sim_service.inventory.sims.models import CARRIER_FACTS, Sim
from sim_service.inventory.sims.repository import SimRepository
from sim_service.platform.cache.invalidation import invalidate


@dataclass(frozen=True, slots=True)
class UpdateCounts:
    created: int = 0
    updated: int = 0
    unchanged: int = 0


class SimService(SimRepository):
    """SIMs as a scope sees them; other features read and lock them with the queries."""

    async def get(self, iccid: str, *, for_update: bool = False) -> Sim:
        """One SIM; raises NotFound also for another organisation's."""
        sim = await super().get(iccid, for_update=for_update)
        if sim is None:
            raise not_found([iccid])
        return sim

    async def update_from_carrier(
        self, facts: Sequence[CarrierSim], carrier: str, *, owner_of_new: UUID | None = None
    ) -> UpdateCounts:
        """Apply the carrier's answers, writing only rows that differ, and publish the changes."""
        known = {sim.iccid: sim for sim in await self.locked([one.iccid for one in facts])}
        outgoing: list[FleetEvent] = []
        updated = 0
        for one in facts:
            if (sim := known.get(one.iccid)) is not None:
                updated += _update(sim, one, outgoing)
        rows = [_row(one, carrier, owner_of_new) for one in facts if one.iccid not in known]
        created = await self.insert_new(rows)
        for iccid in created:
            invalidate(self._session, *sim_tags(iccid, owner_of_new))
        for row in rows:
            outgoing += events.updated(Sim(**row)) if row["iccid"] in created else []
        await self._session.flush()
        await Outbox(self._session).add(*outgoing)
        return UpdateCounts(len(created), updated, len(facts) - len(rows) - updated)

    async def mark_missing(self, iccid: str) -> bool:
        """Note that the carrier no longer knows a SIM; whether that is new."""
        sim = await super().get(iccid, for_update=True)
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

    async def publish_updated(self, *sims: Sim | Row[Any]) -> None:
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


def _update(sim: Sim, facts: CarrierSim, outgoing: list[FleetEvent]) -> bool:
    previous = sim.status
    changed = sim.update_from_carrier(facts)
    if "status" in changed:
        outgoing += events.status_changed(sim, previous)
    if changed & events.PUBLISHED:
        outgoing += events.updated(sim)
    return bool(changed)


def _row(facts: CarrierSim, carrier: str, owner: UUID | None) -> dict[str, Any]:
    values = {name: getattr(facts, name) for name in CARRIER_FACTS}
    row = {"iccid": facts.iccid, "carrier": carrier, "organization_id": owner, "lifecycle": facts.status}
    return row | values

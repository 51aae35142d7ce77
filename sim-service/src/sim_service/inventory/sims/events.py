"""Events of SIMs. An unclaimed SIM belongs to no organisation, so it has none."""

from typing import Any

from sqlalchemy import Row

from fleet_contracts.events import FleetEvent, SimData, SimStatusChanged, SimStatusData, SimUpdated
from sim_service.inventory.sims.models import Sim

SOURCE = "sim-service"
PUBLISHED = frozenset({"imsi", "msisdn", "label", "status"})
"""Facts of the carrier that are part of sim.updated."""


def updated(sim: Sim | Row[Any]) -> list[FleetEvent]:
    """sim.updated with the facts as they are now; `sim` may be a row of these columns."""
    if sim.organization_id is None:
        return []
    data = SimData(
        iccid=sim.iccid,
        imsi=sim.imsi,
        msisdn=sim.msisdn,
        label=sim.label or None,
        status=sim.status,
        device_id=sim.device_id,
    )
    return [SimUpdated(source=SOURCE, subject=sim.iccid, organizationid=sim.organization_id, data=data)]


def status_changed(sim: Sim, previous: str | None) -> list[FleetEvent]:
    """sim.status_changed from `previous` to the present status, with the one that is wanted."""
    if sim.organization_id is None:
        return []
    data = SimStatusData(iccid=sim.iccid, status=sim.status, previous=previous, desired=sim.desired_status)
    return [SimStatusChanged(source=SOURCE, subject=sim.iccid, organizationid=sim.organization_id, data=data)]

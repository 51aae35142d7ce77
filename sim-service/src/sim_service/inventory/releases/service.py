"""Records which SIMs an organisation gave back, and lists them."""

from datetime import UTC, datetime
from uuid import UUID

from sim_service.inventory.releases.models import SimRelease
from sim_service.inventory.releases.repository import ReleaseRepository
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import owner_of


class ReleaseHistory(ReleaseRepository):
    """Releases of one organisation, or of all with EVERYTHING."""

    def record(self, sim: Sim, by: UUID) -> None:
        """Record that the owner gives a SIM back; raises Conflict for an unclaimed one."""
        release = SimRelease(
            iccid=sim.iccid,
            organization_id=owner_of(sim),
            label=sim.label,
            tags=list(sim.tags),
            released_by=by,
            released_at=datetime.now(UTC),
        )
        self.add(release)

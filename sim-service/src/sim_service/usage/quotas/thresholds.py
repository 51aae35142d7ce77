"""The rules of own thresholds: a SIM's goes before its organisation's, that before the carrier's."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from sim_service.carrier.models import QuotaKind
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.usage.quotas.repository import ThresholdRepository
from sim_service.usage.quotas.schemas import ThresholdsIn, ThresholdsOut


class ThresholdService:
    """Thresholds of one organisation, or, by SIM, of its owner."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def owner(self, iccid: str) -> UUID:
        """The owner of a SIM; raises NotFound, or Conflict for an unclaimed one."""
        return owner_of(await SimService(self._session, self._scope).get(iccid))

    async def read(self, organization_id: UUID, iccid: str = "") -> ThresholdsOut:
        """What was set for a SIM, or with an empty ICCID for all of the organisation's."""
        known = await ThresholdRepository(self._session, organization_id).all_of([iccid])
        return ThresholdsOut(data=known.get((QuotaKind.DATA, iccid)), sms=known.get((QuotaKind.SMS, iccid)))

    async def write(self, organization_id: UUID, wanted: ThresholdsIn, iccid: str = "") -> None:
        """Set both; kept quotas follow when they are read from the carrier again."""
        rows = ThresholdRepository(self._session, organization_id)
        await rows.put(QuotaKind.DATA, iccid, wanted.data)
        await rows.put(QuotaKind.SMS, iccid, wanted.sms)


async def wanted_percents(
    session: AsyncSession, organization_id: UUID, kind: QuotaKind, iccids: Collection[str]
) -> dict[str, int | None]:
    """The own threshold that holds for each SIM, None where there is none."""
    known = await ThresholdRepository(session, organization_id).all_of(iccids)
    default = known.get((kind, ""))
    return {iccid: known.get((kind, iccid), default) for iccid in iccids}

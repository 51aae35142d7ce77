"""Queries on `claim_codes`."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.billing.orders.models import Order, OrderItem
from sim_service.billing.orders.queries import ordered_sims
from sim_service.platform.database import among
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.provisioning.claim_codes.models import ClaimCode

# Ids are made in the order of time.
_NEWEST = SortOrder("-id", ClaimCode.id, ClaimCode.id)


class ClaimCodeRepository(ScopedRepository):
    """Codes belong to nobody until they are used, so these queries are for EVERYTHING."""

    async def get(self, code_id: UUID) -> ClaimCode | None:
        """One code, locked."""
        return await self._one(select(ClaimCode).where(ClaimCode.id == code_id), for_update=True)

    async def with_hash(self, code_hash: bytes) -> ClaimCode | None:
        """The code with that hash, locked: who comes second waits and finds it used."""
        return await self._one(select(ClaimCode).where(ClaimCode.code_hash == code_hash), for_update=True)

    async def ordered_by_others(self, iccids: Collection[str], organization_id: UUID) -> set[str]:
        """Those of the SIMs that another organisation than this one has ordered."""
        statement = ordered_sims().where(
            among(OrderItem.iccid, iccids), Order.organization_id != organization_id
        )
        return set((await self._session.execute(statement)).scalars())

    async def page(self, paging: PageParams) -> PageResult[ClaimCode]:
        return await find_page(self._session, select(ClaimCode), _NEWEST, paging)

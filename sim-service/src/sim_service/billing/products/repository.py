"""Queries on `products`."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING
from sim_service.billing.products.models import Product
from sim_service.platform.scoped_repository import ScopedRepository

_BY_ID = SortOrder("id", Product.id, Product.id)


class ProductRepository(ScopedRepository):
    """The carrier's catalogue; it is the same for everybody."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session, EVERYTHING)

    async def page(self, paging: PageParams) -> PageResult[Product]:
        statement = select(Product).where(Product.withdrawn_at.is_(None))
        return await find_page(self._session, statement, _BY_ID, paging)

    async def all_rows(self) -> Sequence[Product]:
        """Every product ever seen, locked."""
        statement = select(Product).order_by(Product.id).with_for_update()
        return await self._all(statement)

    async def offered(self, ids: Collection[int]) -> Sequence[Product]:
        statement = select(Product).where(Product.id.in_(ids), Product.withdrawn_at.is_(None))
        return await self._all(statement)

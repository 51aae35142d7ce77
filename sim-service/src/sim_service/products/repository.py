"""Queries on `products`."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from sim_service.products.models import Product

_BY_ID = Order("id", Product.id, Product.id)


class ProductRepository:
    """The carrier's catalogue; it is the same for everybody."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, paging: PageParams) -> Found[Product]:
        """A page of what is offered."""
        statement = select(Product).where(Product.withdrawn_at.is_(None))
        return await find_page(self._session, statement, _BY_ID, paging)

    async def all_rows(self) -> Sequence[Product]:
        """Every product ever seen, locked."""
        statement = select(Product).order_by(Product.id).with_for_update()
        return (await self._session.execute(statement)).scalars().all()

    async def offered(self, ids: Collection[int]) -> Sequence[Product]:
        """Those of the products that are offered."""
        statement = select(Product).where(Product.id.in_(ids), Product.withdrawn_at.is_(None))
        return (await self._session.execute(statement)).scalars().all()

    def add(self, product: Product) -> None:
        """A product seen for the first time."""
        self._session.add(product)

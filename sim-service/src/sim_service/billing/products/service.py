"""The rules of products: the catalogue as last read, read again when old."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, invalid
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from sim_service.billing.products.models import Product
from sim_service.billing.products.repository import ProductRepository
from sim_service.billing.sync_watermarks.models import CarrierList
from sim_service.billing.sync_watermarks.queries import last_read, lock_list, mark_read
from sim_service.carrier.base import Carrier
from sim_service.carrier.freshness import Known, read_through
from sim_service.carrier.models import Priority


class Quote(NamedTuple):
    """A gross price."""

    amount: Decimal
    currency: str


class ProductService:
    """The catalogue. `fresh`: seconds for which it is not asked for again."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._carrier, self._fresh = sessions, carrier, timedelta(seconds=fresh)

    async def find(self, paging: PageParams) -> Known[PageResult[Product]]:
        """A page of what is offered; raises the carrier's errors where nothing was ever read."""
        async with self._sessions() as session:
            read_at = await last_read(session, CarrierList.PRODUCTS)
        read = await read_through(Known(None, read_at) if read_at else None, self._fresh, self._read_now)
        async with self._sessions() as session:
            return Known(await ProductRepository(session).page(paging), read.as_of, read.failure)

    async def ensure_read(self) -> None:
        """Read the catalogue if it never was; raises the carrier's errors."""
        async with self._sessions() as session:
            read_at = await last_read(session, CarrierList.PRODUCTS)
        if read_at is None:
            await self.sync(Priority.INTERACTIVE)

    async def _read_now(self) -> Known[None]:
        await self.sync(Priority.INTERACTIVE)
        return Known(None, datetime.now(UTC))

    async def sync(self, priority: Priority) -> int:
        """Read the catalogue; how many products it has. What it no longer lists is withdrawn."""
        facts = {product.id: product for product in await self._carrier.products(priority=priority)}
        async with self._sessions.begin() as session:
            await lock_list(session, CarrierList.PRODUCTS)
            products = ProductRepository(session)
            known = {product.id: product for product in await products.all_rows()}
            for number, product in known.items():
                if number not in facts:
                    product.withdraw()
            for number, fact in facts.items():
                product = known.get(number) or Product(id=number)
                product.update_from_carrier(fact)
                products.add(product)
            await mark_read(session, CarrierList.PRODUCTS)
        return len(facts)


async def _offered(session: AsyncSession, lines: Sequence[tuple[int, int]]) -> dict[int, Product]:
    """The products; raises 422 for a (product, quantity) that the catalogue, if it was ever read, has not."""
    rows = await ProductRepository(session).offered([number for number, _ in lines])
    offered = {product.id: product for product in rows}
    if await last_read(session, CarrierList.PRODUCTS) is None:
        return offered
    for number, quantity in lines:
        product = offered.get(number)
        if product is None:
            raise invalid("products", f"product {number} is not offered", code="PRODUCT_NOT_FOUND")
        if quantity < (product.smallest_quantity or 1):
            raise invalid("products", f"product {number}: at least {product.smallest_quantity}")
        if product.largest_quantity is not None and quantity > product.largest_quantity:
            raise invalid("products", f"product {number}: at most {product.largest_quantity}")
    return offered


async def quote(session: AsyncSession, lines: Sequence[tuple[int, int]], tax_percent: Decimal) -> Quote:
    """What (product, quantity) cost together by the catalogue, with tax.

    Raises 422 for what is not offered, Conflict PRICE_UNKNOWN where the catalogue does not say.
    """
    rows = (await _offered(session, lines)).values()
    prices = {row.id: (row.price, row.currency) for row in rows if row.price is not None and row.currency}
    unknown = [number for number, _ in lines if number not in prices]
    currencies = {currency for _, currency in prices.values()}
    if unknown or len(currencies) != 1:
        raise Conflict(
            "the catalogue gives no price for this", code="PRICE_UNKNOWN", details={"products": unknown}
        )
    net = sum((prices[number][0] * quantity for number, quantity in lines), Decimal(0))
    return Quote(round(net * (100 + tax_percent) / 100, 2), currencies.pop())

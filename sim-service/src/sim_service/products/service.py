"""The rules of products: the catalogue as last read, read again when old."""

from datetime import UTC, datetime, timedelta

from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.keyset import Found
from fleet_kit.pagination import PageParams
from sim_service.carrier.base import Carrier
from sim_service.carrier.facts import Priority
from sim_service.freshness import SERVE_KNOWN, Known
from sim_service.jobs.runner import Held
from sim_service.looks.models import LookedAt
from sim_service.looks.repository import LookRepository
from sim_service.products.models import Product
from sim_service.products.repository import ProductRepository


class ProductService:
    """The catalogue. `fresh`: seconds for which it is not asked for again."""

    def __init__(self, sessions: Sessions, carrier: Carrier, *, fresh: float) -> None:
        self._sessions, self._carrier, self._fresh = sessions, carrier, timedelta(seconds=fresh)

    async def find(self, paging: PageParams) -> Known[Found[Product]]:
        """A page of what is offered; raises the carrier's errors where nothing was ever read."""
        async with self._sessions() as session:
            looked_at = await LookRepository(session).last(LookedAt.PRODUCTS)
        failure: FleetError | None = None
        if looked_at is None or datetime.now(UTC) - looked_at >= self._fresh:
            try:
                await self.sync(Priority.PEOPLE)
                looked_at = datetime.now(UTC)
            except SERVE_KNOWN as error:
                if looked_at is None:
                    raise
                failure = error
        async with self._sessions() as session:
            return Known(await ProductRepository(session).page(paging), looked_at, failure)

    async def sync(self, priority: Priority) -> int:
        """Read the catalogue; how many products it has. What it no longer lists is withdrawn."""
        facts = {product.id: product for product in await self._carrier.products(priority=priority)}
        async with self._sessions.begin() as session:
            await LookRepository(session).alone(LookedAt.PRODUCTS)
            products = ProductRepository(session)
            known = {product.id: product for product in await products.all_rows()}
            for number, product in known.items():
                if number not in facts:
                    product.withdraw()
            for number, fact in facts.items():
                product = known.get(number) or Product(id=number)
                product.take_over(fact)
                products.add(product)
            await LookRepository(session).note(LookedAt.PRODUCTS)
        return len(facts)

    async def run(self, held: Held) -> None:
        """The handler of jobs that read the catalogue."""
        number = await self.sync(Priority.BACKGROUND)
        async with self._sessions.begin() as session:
            job = await held.in_transaction(session)
            job.done = job.total = number

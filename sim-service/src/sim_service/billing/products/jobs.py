"""The job that reads the catalogue."""

from sim_service.billing.products.service import ProductService
from sim_service.carrier.models import Priority
from sim_service.work.jobs.handle import JobLease


class ProductSyncJob:
    def __init__(self, products: ProductService) -> None:
        self._products = products

    async def run(self, lease: JobLease) -> None:
        number = await self._products.sync(Priority.BACKGROUND)
        async with lease.sessions.begin() as session:
            job = await lease.lock_job(session)
            job.done = job.total = number

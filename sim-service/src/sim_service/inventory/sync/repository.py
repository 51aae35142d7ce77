from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.inventory.sync.models import SyncPage


class SyncPageRepository:
    """The pages that one job has stored; jobs are of the whole account, so there is no scope."""

    def __init__(self, session: AsyncSession, job_id: UUID) -> None:
        self._session, self._job_id = session, job_id

    async def add(self, page: int, iccids: Sequence[str]) -> None:
        """In the transaction that wrote what was on the page."""
        self._session.add(SyncPage(job_id=self._job_id, page=page, iccids=list(iccids)))

    async def numbers(self) -> set[int]:
        return set(await self._session.scalars(select(SyncPage.page).where(SyncPage.job_id == self._job_id)))

    def listed_iccids(self) -> Select[str]:
        """Subquery: every ICCID on the stored pages."""
        return select(func.unnest(SyncPage.iccids)).where(SyncPage.job_id == self._job_id)

    async def delete(self) -> None:
        await self._session.execute(delete(SyncPage).where(SyncPage.job_id == self._job_id))

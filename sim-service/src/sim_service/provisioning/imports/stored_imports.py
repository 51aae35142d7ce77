"""Queries of imports that are jobs, of one organisation."""

from uuid import UUID

from sqlalchemy import exists, or_, select, update

from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.provisioning.imports.models import SimImport


class StoredImports(ScopedRepository):
    """At most one file or report of each organisation is stored: a new import replaces it."""

    async def is_stored(self, job_id: UUID) -> bool:
        return bool(await self._session.scalar(select(exists().where(SimImport.job_id == job_id))))

    async def report(self, job_id: UUID) -> SimImport | None:
        """The import, without its file."""
        return await self._one(self._owned(SimImport).where(SimImport.job_id == job_id))

    async def content(self, job_id: UUID) -> bytes | None:
        """The file, None once it has been read."""
        return await self._session.scalar(select(SimImport.content).where(SimImport.job_id == job_id))

    async def forget(self) -> None:
        """Forget the organisation's file and report; the counts are in the jobs."""
        kept = or_(SimImport.content.is_not(None), SimImport.report.is_not(None))
        forgotten = update(SimImport).where(self._scope.where(SimImport.organization_id), kept)
        await self._session.execute(forgotten.values(content=None, report=None))

"""Imports with many rows: a job reads the file, in a transaction that records what it has done."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, TooManyRequests, Unavailable, Unprocessable
from fleet_kit.limits import Limits
from fleet_kit.scope import Scope
from sim_service.provisioning.imports.models import SimImport
from sim_service.provisioning.imports.reading import FileReader, ReadFile, unreadable
from sim_service.provisioning.imports.schemas import Claims, ImportOut
from sim_service.provisioning.imports.service import ImportOptions, ImportService, refusal
from sim_service.provisioning.imports.sheets import MAX_ROWS
from sim_service.provisioning.imports.stored_imports import StoredImports
from sim_service.work.jobs.handle import Deferred, JobLease
from sim_service.work.jobs.models import Job, JobKind
from sim_service.work.jobs.service import JobService

_BUSY_SECONDS = 5.0


async def request_import(session: AsyncSession, limits: Limits, wanted: ImportOptions, content: bytes) -> Job:
    """A job for the file; raises Conflict while another of the organisation is open."""
    job = await JobService(session, limits=limits).request(
        JobKind.IMPORT_SIMS,
        wanted.user_id,
        organization_id=wanted.organization_id,
        params={"claims": wanted.claims, "dry_run": wanted.dry_run, "partial": wanted.partial},
    )
    stored = StoredImports(session, Scope(wanted.organization_id))
    if await stored.is_stored(job.id):
        details = {"job_id": str(job.id)}
        raise Conflict("another import is not over yet", code="IMPORT_IN_PROGRESS", details=details)
    await stored.forget()
    stored.add(SimImport(job_id=job.id, organization_id=wanted.organization_id, content=content))
    await session.flush()
    return job


class ImportJobs:
    def __init__(self, sessions: Sessions, reader: FileReader) -> None:
        self._sessions, self._reader = sessions, reader

    async def run(self, lease: JobLease) -> None:
        """Import the job's file; raises Deferred while too many files are in work, 422 as a request does."""
        async with self._sessions() as session:
            stored = StoredImports(session, lease.scope)
            content, before = await stored.content(lease.id), await stored.report(lease.id)
        if content is None:
            _end_again(before)
            return
        with tempfile.TemporaryDirectory(prefix="sim-import-") as folder:
            file = Path(folder) / "upload"
            file.write_bytes(content)
            del content
            try:
                read = await self._read(lease, file)
            except Unprocessable:
                async with self._sessions.begin() as session:
                    await _record(session, lease, None)
                raise
            refused = await self._import(lease, read)
        if refused is not None:
            raise refused

    async def _read(self, lease: JobLease, file: Path) -> ReadFile:
        assert lease.organization_id is not None, "an import is for one organisation"
        try:
            async with self._reader.spreadsheets.slot(lease.organization_id):
                read = await self._reader.read(file, MAX_ROWS)
        except (TooManyRequests, Unavailable):
            raise Deferred(_BUSY_SECONDS) from None
        if read is None:
            raise unreadable(f"the file has more than {MAX_ROWS:,} rows", None)
        return read

    async def _import(self, lease: JobLease, read: ReadFile) -> Unprocessable | None:
        async with self._sessions.begin() as session:
            out = await ImportService(session, _options(lease)).run(read)
            await _record(session, lease, out)
        return refusal(out)


async def _record(session: AsyncSession, lease: JobLease, out: ImportOut | None) -> None:
    """The lease is checked last: locked from the beginning, the job could not be kept while it works."""
    job = await lease.lock_job(session)
    stored = StoredImports(session, lease.scope)
    await stored.forget()
    row = await stored.report(lease.id)
    if out is not None and row is not None:
        row.report = out.model_dump(mode="json")
        job.done = job.total = out.rows
        job.result = _counts(row.report)


def _end_again(before: SimImport | None) -> None:
    """A worker that died had recorded the import, but not the end of the job."""
    if before is None or before.report is None:
        raise unreadable("the file cannot be read", None)
    if (refused := refusal(ImportOut.model_validate(before.report))) is not None:
        raise refused


def _counts(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in ("good", "bad", "claimed", "linked", "labels", "updated")}


def _options(lease: JobLease) -> ImportOptions:
    assert lease.organization_id is not None, "an import is for one organisation"
    assert lease.requested_by is not None, "somebody asked for it"
    params = dict(lease.params) | {"claims": Claims(lease.params["claims"])}
    return ImportOptions(lease.organization_id, lease.requested_by, **params)

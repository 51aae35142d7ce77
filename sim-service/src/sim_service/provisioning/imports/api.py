"""HTTP: import SIMs from a spreadsheet."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import DbSession, Sessions
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.limits import Defaults, Limits
from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentOperator, CurrentUser, Principal, Role
from sim_service.platform.dependencies import AppSessions, AppSettings, AppSpreadsheets
from sim_service.platform.disconnects import while_connected
from sim_service.provisioning.imports.jobs import request_import
from sim_service.provisioning.imports.reading import FileReader, ReadFile
from sim_service.provisioning.imports.schemas import Claims, ImportOut, StoredImportOut
from sim_service.provisioning.imports.service import ImportOptions, ImportService, refusal
from sim_service.provisioning.imports.stored_imports import StoredImports
from sim_service.provisioning.imports.templates import template
from sim_service.provisioning.imports.upload import DOCUMENTED, uploaded
from sim_service.work.jobs.api import location
from sim_service.work.jobs.limits import job_limits
from sim_service.work.jobs.schemas import JobOut

router = APIRouter(tags=["sims"])


@dataclass(frozen=True, slots=True)
class _Resources:
    sessions: Sessions
    reader: FileReader
    request_rows: int
    limits: Defaults


async def _resources(
    sessions: AppSessions, settings: AppSettings, spreadsheets: AppSpreadsheets
) -> _Resources:
    """A request may take half of the time that a job may: somebody waits for it."""
    reader = FileReader(spreadsheets, settings.import_most_cells, settings.import_read_seconds / 2)
    return _Resources(sessions, reader, settings.import_request_rows, job_limits(settings))


ImportResources = Annotated[_Resources, Depends(_resources)]


@router.get("/sims/import/template", response_class=Response)
async def import_template(_: CurrentUser, format: Literal["csv", "xlsx"] = "csv") -> Response:
    """An empty file with the columns of an import."""
    found = template(format)
    headers = {"Content-Disposition": f'attachment; filename="sims-import.{format}"'}
    return Response(found.content, media_type=found.media_type, headers=headers)


@router.post("/sims/import", openapi_extra=DOCUMENTED, responses={202: {"model": JobOut}})
@raises(NotFound, Conflict)
async def import_sims(
    request: Request,
    response: Response,
    user: CurrentOperator,
    resources: ImportResources,
    dry_run: Annotated[bool, Query(description="only report what would happen")] = False,
    partial: Annotated[bool, Query(description="import the good rows; else any bad row refuses all")] = False,
    organization_id: Annotated[UUID | None, Query(description="for the platform administrator")] = None,
) -> ImportOut | JobOut:
    """Claim, label, tag, describe and link up to 100,000 SIMs; admins claim what they ordered.

    A file of more than 5,000 rows becomes a job: 202, and the report is at /sims/imports/{id of the job}.
    """
    wanted = ImportOptions(
        organization_id=user.acts_for(organization_id),
        user_id=user.user_id,
        claims=_claims(user),
        dry_run=dry_run,
        partial=partial,
    )
    pool = resources.reader.spreadsheets
    # A file comes at its sender's pace, and takes no place from others until it is there.
    owner = user.organization_id
    async with pool.admit(owner), uploaded(request) as file, pool.place(owner):
        read = await while_connected(request, resources.reader.read(file, resources.request_rows))
        async with resources.sessions() as session:
            if read is not None:
                return await _import_now(session, wanted, read)
            limits = Limits(session, resources.limits)
            job = await request_import(session, limits, wanted, file.read_bytes())
            await session.commit()
    response.status_code, response.headers["Location"] = 202, location(job.id)
    return JobOut.of(job, user)


def _claims(user: Principal) -> Claims:
    if user.is_admin:
        return Claims.ANY
    return Claims.ORDERED if user.role == Role.ADMIN else Claims.NONE


async def _import_now(session: AsyncSession, wanted: ImportOptions, read: ReadFile) -> ImportOut:
    out = await ImportService(session, wanted).run(read)
    if (refused := refusal(out)) is not None:
        raise refused
    if out.applied:
        await session.commit()
    return out


@router.get("/sims/imports/{import_id}")
async def read_import(import_id: UUID, user: CurrentUser, session: DbSession) -> StoredImportOut:
    """The report of an import that is a job; it has the job's id."""
    found = await StoredImports(session, user.scope).report(import_id)
    if found is None:
        raise NotFound("no such import", code="IMPORT_NOT_FOUND")
    return StoredImportOut.model_validate(found)

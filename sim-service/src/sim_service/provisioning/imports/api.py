"""HTTP: import SIMs from a spreadsheet."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from fleet_kit.principal import CurrentOperator, CurrentUser, Role
from sim_service.platform.dependencies import AppSessions, AppSettings
from sim_service.provisioning.imports.schemas import ImportOut
from sim_service.provisioning.imports.service import ImportOptions, ImportService
from sim_service.provisioning.imports.templates import template
from sim_service.provisioning.imports.upload import DOCUMENTED, uploaded

router = APIRouter(tags=["sims"])


@router.get("/sims/import/template", response_class=Response)
async def import_template(_: CurrentUser, format: Literal["csv", "xlsx"] = "csv") -> Response:
    """An empty file with the columns of an import."""
    found = template(format)
    headers = {"Content-Disposition": f'attachment; filename="sims-import.{format}"'}
    return Response(found.content, media_type=found.media_type, headers=headers)


@router.post("/sims/import", openapi_extra=DOCUMENTED)
async def import_sims(
    request: Request,
    user: CurrentOperator,
    sessions: AppSessions,
    settings: AppSettings,
    dry_run: Annotated[bool, Query(description="only report what would happen")] = False,
    partial: Annotated[bool, Query(description="import the good rows; else any bad row refuses all")] = False,
    organization_id: Annotated[UUID | None, Query(description="for the platform administrator")] = None,
) -> ImportOut:
    """Claim, label, tag, describe and link up to 100,000 SIMs; only admins claim unclaimed ones."""
    owner = user.acts_for(organization_id)
    wanted = ImportOptions(
        organization_id=owner,
        user_id=user.user_id,
        claims=user.is_admin or user.role == Role.ADMIN,
        dry_run=dry_run,
        partial=partial,
    )
    async with uploaded(request) as file:
        return await ImportService(sessions, wanted, seconds=settings.import_read_seconds).run(file)

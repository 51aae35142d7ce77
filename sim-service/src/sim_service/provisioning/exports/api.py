"""HTTP: SIMs as a file."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from fleet_kit.principal import CurrentUser
from sim_service.inventory.sims.schemas import SimConditions
from sim_service.platform.dependencies import AppSessions, AppSettings, AppSpreadsheets
from sim_service.platform.disconnects import while_connected
from sim_service.provisioning.exports.service import ExportService, started

router = APIRouter(tags=["sims"])


class Format(StrEnum):
    """How the file is written."""

    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.JSONL: "application/x-ndjson",
}


class ExportQuery(SimConditions):
    """The list's filters, and how the file is written."""

    format: Format = Format.CSV


@router.get("/sims/export", response_class=StreamingResponse)
async def export_sims(
    request: Request,
    user: CurrentUser,
    sessions: AppSessions,
    settings: AppSettings,
    spreadsheets: AppSpreadsheets,
    query: Annotated[ExportQuery, Query()],
) -> StreamingResponse:
    """SIMs that pass the list's filters, ordered by ICCID; what a spreadsheet would calculate stays text."""
    exports = ExportService(sessions, user, spreadsheets, seconds=settings.export_xlsx_seconds)
    chunks = await while_connected(request, started(getattr(exports, query.format)(query)))
    name = f"sims-{datetime.now(UTC):%Y-%m-%d}.{query.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks, media_type=_TYPES[query.format], headers=headers)

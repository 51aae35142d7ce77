"""The rules of exports: the list's filters, as a stream of bytes that never holds more than one batch."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from fleet_contracts.telemetry import format_ts
from fleet_kit.database import Sessions
from fleet_kit.errors import Unavailable, Unprocessable
from fleet_kit.json_object import encode_json
from fleet_kit.principal import Principal
from sim_service.inventory.sims.schemas import SimConditions
from sim_service.inventory.sims.service import SimService
from sim_service.platform.spreadsheet_cells import escape_formula, join_tags
from sim_service.platform.subprocess_pool import SubprocessFailed, SubprocessPool
from sim_service.provisioning.exports.columns import COLUMNS

_WORKBOOK = "sim_service.provisioning.exports.workbook"
_BATCH = 1000
_CHUNK_BYTES = 64 * 1024
_MOST_XLSX_ROWS = 200_000
Chunks = AsyncIterator[bytes]


class ExportService:
    """Exports of the SIMs that a principal may see.

    `seconds` of a processor's time are the longest that making an XLSX file may take.
    """

    def __init__(
        self, sessions: Sessions, user: Principal, spreadsheets: SubprocessPool, *, seconds: float
    ) -> None:
        self._sessions, self._scope, self._owner = sessions, user.scope, user.organization_id
        self._spreadsheets, self._seconds = spreadsheets, seconds

    async def csv(self, wanted: SimConditions) -> Chunks:
        """Comma-separated, UTF-8 with a byte order mark, which Excel needs."""
        yield _lines([COLUMNS]).encode("utf-8-sig")
        async for batch in self._batches(wanted):
            yield _lines([[_cell(value) for value in row.values()] for row in batch]).encode()

    async def jsonl(self, wanted: SimConditions) -> Chunks:
        """One JSON object a line, with the names and types of the API."""
        async for batch in self._batches(wanted):
            yield b"".join(encode_json(_json(row)) + b"\n" for row in batch)

    async def xlsx(self, wanted: SimConditions) -> Chunks:
        """A workbook of one sheet in which every cell is text; it is made on disk, beside this process.

        Raises 422 for more than 200,000 SIMs, and what SubprocessPool.slot raises.
        """
        with tempfile.TemporaryDirectory(prefix="sim-export-") as folder:
            target = Path(folder) / "sims.xlsx"
            async with self._spreadsheets.slot(self._owner):
                await self._make(wanted, Path(folder) / "sims.csv", target)
            with target.open("rb") as made:
                while chunk := await asyncio.to_thread(made.read, _CHUNK_BYTES):
                    yield chunk

    async def _make(self, wanted: SimConditions, source: Path, target: Path) -> None:
        written = 0
        with source.open("wb") as file:
            async for chunk in self.csv(wanted):
                written += chunk.count(b"\r\n")
                if written > _MOST_XLSX_ROWS:
                    message = f"more than {_MOST_XLSX_ROWS:,} SIMs; CSV and JSON Lines hold any number"
                    raise Unprocessable(message, code="EXPORT_TOO_LARGE")
                await asyncio.to_thread(file.write, chunk)
        try:
            await self._spreadsheets.run(_WORKBOOK, source, target, seconds=self._seconds)
        except SubprocessFailed as error:
            raise Unavailable("the file could not be made; CSV takes less") from error

    async def _batches(self, wanted: SimConditions) -> AsyncIterator[Sequence[RowMapping]]:
        """COLUMNS of each SIM, by ICCID; a transaction for each batch, so that a slow reader holds none."""
        after = ""
        while True:
            async with self._sessions() as session:
                sims = SimService(session, self._scope)
                batch = await sims.columns(COLUMNS, wanted, after=after, limit=_BATCH)
            if not batch:
                return
            yield batch
            after = batch[-1]["iccid"]


async def started(chunks: Chunks) -> Chunks:
    """The same chunks, the first one already made: a failure at the start becomes an error response."""
    first = await anext(chunks, b"")

    async def stream() -> Chunks:
        yield first
        async for chunk in chunks:
            yield chunk

    return stream()


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    match value:
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case datetime():
            text = format_ts(value)
        case list():
            text = escape_formula(join_tags(value))
        case dict():
            text = escape_formula(encode_json(value).decode())
        case _:
            text = escape_formula(str(value))
    return text


def _json(row: RowMapping) -> dict[str, Any]:
    values = {name: row[name] for name in COLUMNS}
    return (
        values
        | {name: format_ts(value) for name, value in values.items() if isinstance(value, datetime)}
        | {name: str(value) for name, value in values.items() if isinstance(value, UUID)}
        | {"label": values["label"] or None}
    )

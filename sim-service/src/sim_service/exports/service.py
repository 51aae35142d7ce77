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

import orjson
from sqlalchemy import RowMapping

from fleet_contracts.telemetry import format_ts
from fleet_kit.errors import Unavailable
from sim_service.cells import escaped, join_tags
from sim_service.exports.columns import COLUMNS
from sim_service.exports.repository import ExportRepository, plain
from sim_service.isolated import IsolatedFailed, run_isolated
from sim_service.sims.repository import SimFilter

_WORKBOOK = "sim_service.exports.workbook"
_CHUNK_BYTES = 64 * 1024
Chunks = AsyncIterator[bytes]


class ExportService:
    """Exports of what `repository` may see. `seconds`: the longest that making an XLSX file may take."""

    def __init__(self, repository: ExportRepository, *, seconds: float) -> None:
        self._repository, self._seconds = repository, seconds

    async def csv(self, wanted: SimFilter) -> Chunks:
        """Comma-separated, UTF-8 with the mark that tells Excel so."""
        yield _lines([COLUMNS]).encode("utf-8-sig")
        async for batch in self._repository.batches(wanted):
            yield _lines([_cells(row) for row in batch]).encode()

    async def jsonl(self, wanted: SimFilter) -> Chunks:
        """One JSON object a line, with the names and types of the API."""
        async for batch in self._repository.batches(wanted):
            yield b"".join(orjson.dumps(_json(row), option=orjson.OPT_APPEND_NEWLINE) for row in batch)

    async def xlsx(self, wanted: SimFilter) -> Chunks:
        """A workbook of one sheet in which every cell is text; it is made on disk, beside this process."""
        with tempfile.TemporaryDirectory(prefix="sim-export-") as folder:
            source, target = Path(folder) / "sims.csv", Path(folder) / "sims.xlsx"
            with source.open("wb") as file:
                async for chunk in self.csv(wanted):
                    await asyncio.to_thread(file.write, chunk)
            try:
                await run_isolated(_WORKBOOK, source, target, seconds=self._seconds)
            except IsolatedFailed as error:
                raise Unavailable("the file could not be made; CSV takes less") from error
            with target.open("rb") as made:
                while chunk := await asyncio.to_thread(made.read, _CHUNK_BYTES):
                    yield chunk


async def begun(chunks: Chunks) -> Chunks:
    """The same chunks with the first one at hand: what fails at the start fails as a whole answer."""
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


def _cells(row: RowMapping) -> list[str]:
    return [_cell(value) for value in plain(row).values()]


def _cell(value: Any) -> str:
    match value:
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case datetime():
            text = format_ts(value)
        case list():
            text = escaped(join_tags(value))
        case dict():
            text = orjson.dumps(value).decode()
        case _:
            text = escaped(str(value))
    return text


def _json(row: RowMapping) -> dict[str, Any]:
    values = plain(row)
    return (
        values
        | {name: format_ts(value) for name, value in values.items() if isinstance(value, datetime)}
        | {name: str(value) for name, value in values.items() if isinstance(value, UUID)}
        | {"label": values["label"] or None}
    )

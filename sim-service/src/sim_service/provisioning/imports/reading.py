"""Reads a file in a process of its own, and says what is in it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet_kit.errors import Unprocessable
from sim_service.platform.subprocess_pool import SubprocessFailed, SubprocessPool

_READER = "sim_service.provisioning.imports.reader_process"


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file's good rows, as a CSV file for COPY, and what is wrong with the others."""

    rows: Path
    total: int
    bad: int
    problems: list[dict[str, Any]]
    ignored: list[str]


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads within bounds: filled cells, and seconds of a processor."""

    spreadsheets: SubprocessPool
    most_cells: int
    seconds: float

    async def read(self, file: Path, most_rows: int) -> ReadFile | None:
        """What is in the file, None if that is more than `most_rows`; raises 422 for what cannot be read.

        Within a slot of the pool. Files of the reader stand beside the file.
        """
        rows, report = file.with_suffix(".rows"), file.with_suffix(".report")
        arguments = (file, rows, report, most_rows, self.most_cells)
        try:
            await self.spreadsheets.run(_READER, *arguments, seconds=self.seconds)
        except SubprocessFailed as failed:
            raise unreadable(f"the file cannot be read: it {failed.reason}", None) from None
        found = json.loads(report.read_text(encoding="utf-8"))
        if found["more"]:
            return None
        if (refused := found["refused"]) is not None:
            raise unreadable(refused["reason"], refused["row"])
        return ReadFile(rows, found["total"], found["bad"], found["problems"], found["ignored"])


def unreadable(reason: str, row: int | None) -> Unprocessable:
    problem = {"field": "file", "message": reason} | ({"row": row} if row is not None else {})
    where = f" (row {row})" if row is not None else ""
    return Unprocessable(f"file: {reason}{where}", code="IMPORT_UNREADABLE", details={"fields": [problem]})

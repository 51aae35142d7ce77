"""`python -m …imports.reader_process FILE ROWS REPORT MOST_ROWS MOST_CELLS`: a file as rows for COPY.

The report says what is wrong in it. Runs in a process of its own (see sim_service.platform.subprocess_pool),
because the file is untrusted.
"""

import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path

from fleet_kit.ids import uuid7
from sim_service.provisioning.exports.columns import COLUMNS as EXPORTED
from sim_service.provisioning.imports.parsing import FileParser, MoreRows, ParsedRow
from sim_service.provisioning.imports.sheets import Unreadable, rows


def main() -> None:
    """Read the file; what cannot be read at all is part of the report."""
    source, target, report = (Path(argument) for argument in sys.argv[1:4])
    most_rows, most_cells = (int(argument) for argument in sys.argv[4:6])
    parser = FileParser(most_rows)
    refused, more = None, False
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        try:
            writer.writerows(map(_record, parser.parse(rows(source, most_cells), frozenset(EXPORTED))))
        except Unreadable as error:
            refused, more = {"reason": error.reason, "row": error.row}, isinstance(error, MoreRows)
    found = {**asdict(parser), "refused": refused, "more": more}
    report.write_text(json.dumps(found), encoding="utf-8")


def _record(row: ParsedRow) -> list[str | int]:
    """The columns of `import_rows`; an empty unquoted field is NULL."""
    return [
        row.row,
        row.iccid,
        "" if row.label is None else row.label,
        "" if row.tags is None else _array(row.tags),
        "" if row.metadata is None else json.dumps(row.metadata, ensure_ascii=False),
        "" if row.device_id is None else str(row.device_id),
        "" if row.label is None else str(uuid7()),
    ]


def _array(tags: list[str]) -> str:
    quoted = (tag.replace("\\", "\\\\").replace('"', '\\"') for tag in tags)
    return "{" + ",".join(f'"{tag}"' for tag in quoted) + "}"


if __name__ == "__main__":
    main()

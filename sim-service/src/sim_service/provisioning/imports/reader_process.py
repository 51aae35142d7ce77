"""`python -m …imports.reader_process FILE ROWS REPORT`: a file as rows for COPY, and what is wrong in it.

Runs in a process of its own (see sim_service.platform.bounded_subprocess), because the file is untrusted.
"""

import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path

from fleet_kit.ids import uuid7
from sim_service.platform.bounded_subprocess import limit_memory
from sim_service.provisioning.exports.columns import COLUMNS as EXPORTED
from sim_service.provisioning.imports.parsing import FileParser, ParsedRow
from sim_service.provisioning.imports.sheets import Unreadable, rows


def main() -> None:
    """Read the file; what cannot be read at all is part of the report."""
    limit_memory()
    source, target, report = (Path(argument) for argument in sys.argv[1:4])
    parser = FileParser()
    refused = None
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        try:
            writer.writerows(map(_record, parser.parse(rows(source), frozenset(EXPORTED))))
        except Unreadable as error:
            refused = {"reason": error.reason, "row": error.row}
    report.write_text(json.dumps({**asdict(parser), "refused": refused}), encoding="utf-8")


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

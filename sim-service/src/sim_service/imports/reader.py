"""`python -m sim_service.imports.reader FILE ROWS REPORT`: a file as rows for COPY, and what is wrong in it.

Runs in a process of its own (see sim_service.isolated), because the file is a stranger's.
"""

import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path

from fleet_kit.ids import uuid7
from sim_service.exports.columns import COLUMNS as EXPORTED
from sim_service.imports.parsing import Reading, Wish
from sim_service.imports.sheets import Unreadable, rows
from sim_service.isolated import bound_memory


def main() -> None:
    """Read the file; what cannot be read at all is part of the report."""
    bound_memory()
    source, target, report = (Path(argument) for argument in sys.argv[1:4])
    reading = Reading()
    refused = None
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        try:
            writer.writerows(map(_record, reading.wishes(rows(source), frozenset(EXPORTED))))
        except Unreadable as error:
            refused = {"reason": error.reason, "row": error.row}
    report.write_text(json.dumps({**asdict(reading), "refused": refused}), encoding="utf-8")


def _record(wish: Wish) -> list[str | int]:
    """The columns of `import_rows`; an empty unquoted field is NULL."""
    return [
        wish.row,
        wish.iccid,
        "" if wish.label is None else wish.label,
        "" if wish.tags is None else _array(wish.tags),
        "" if wish.metadata is None else json.dumps(wish.metadata, ensure_ascii=False),
        "" if wish.device_id is None else str(wish.device_id),
        "" if wish.label is None else str(uuid7()),
    ]


def _array(tags: list[str]) -> str:
    quoted = (tag.replace("\\", "\\\\").replace('"', '\\"') for tag in tags)
    return "{" + ",".join(f'"{tag}"' for tag in quoted) + "}"


if __name__ == "__main__":
    main()

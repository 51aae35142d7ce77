"""`python -m …exports.workbook CSV XLSX`: a CSV file as a workbook in which every cell is text.

Runs in a process of its own (see platform.subprocesses): 100,000 rows keep a processor busy for a while.
"""

import csv
import sys
from pathlib import Path

from openpyxl import Workbook

from sim_service.platform.bounded_subprocess import limit_memory


def main() -> None:
    limit_memory()
    source, target = (Path(argument) for argument in sys.argv[1:3])
    book = Workbook(write_only=True)
    sheet = book.create_sheet("sims")
    sheet.freeze_panes = "A2"
    with source.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file):
            sheet.append([cell or None for cell in row])
    book.save(target)


if __name__ == "__main__":
    main()

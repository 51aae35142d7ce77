"""`python -m …exports.workbook CSV XLSX`: a CSV file as a workbook in which every cell is text.

Runs in a process of its own (see platform.subprocess_pool): 100,000 rows keep a processor busy for a while.
"""

import csv
import re
import sys
from pathlib import Path

from openpyxl import Workbook

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, section 2.2: one such character makes a whole workbook unreadable."""


def main() -> None:
    source, target = (Path(argument) for argument in sys.argv[1:3])
    book = Workbook(write_only=True)
    sheet = book.create_sheet("sims")
    sheet.freeze_panes = "A2"
    with source.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file):
            sheet.append([_NOT_IN_XML.sub("\ufffd", cell) or None for cell in row])
    book.save(target)


if __name__ == "__main__":
    main()

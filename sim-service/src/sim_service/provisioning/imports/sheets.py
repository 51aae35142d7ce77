"""Files as rows of cells: CSV and XLSX, read row by row within a budget."""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from openpyxl import load_workbook

MAX_ROWS = 100_000
_MOST_WALKED = 2 * MAX_ROWS
"""Rows with the empty ones: a workbook may have a million of those, and each costs time."""
_MAX_COLUMNS = 64
_MAX_CELL = 32_767
"""Characters; Excel has the same limit."""
_MOST_TEXT = 64 * 1024**2
"""Characters in all cells: in a workbook many cells may share one text."""
_MAX_LINE = 2 * 1024**2
_MOST_UNPACKED = 256 * 1024**2
_ALWAYS_UNPACKED = 8 * 1024**2
_MOST_RATIO = 100
"""How many times its size a workbook may unpack to, beyond 8 MiB; 100,000 SIMs unpack to 20 times."""
_MOST_PARTS = 1000
_ZIP, _UTF16 = b"PK\x03\x04", (b"\xff\xfe", b"\xfe\xff")
Cells = Sequence[object]


class Unreadable(Exception):
    """The file as a whole cannot be taken; `row` where it is known."""

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.row = reason, row


def rows(path: Path, most_cells: int) -> Iterator[Cells]:
    """Every row of a CSV file or of the first sheet of an XLSX file, headers first; raises Unreadable."""
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise Unreadable("the file is empty")
    if start.startswith(_ZIP):
        found = _xlsx(path)
    elif start.startswith(_UTF16):
        raise Unreadable("the file is UTF-16; save it as CSV UTF-8, or as XLSX")
    elif start.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable("old XLS files and encrypted ones cannot be read; save it as XLSX or CSV UTF-8")
    else:
        found = _csv(path)
    return _within_budget(found, Budget(most_cells))


@dataclass(slots=True)
class Budget:
    """What a file may still cost, in filled cells and in characters."""

    cells: int
    text: int = _MOST_TEXT

    def take(self, number: int, cells: Cells) -> None:
        """Charge a row; raises Unreadable where it is too much."""
        if number > _MOST_WALKED:
            raise Unreadable(f"the file has more than {_MOST_WALKED:,} rows, with the empty ones", number)
        if len(cells) > _MAX_COLUMNS:
            raise Unreadable(f"the file has more than {_MAX_COLUMNS} columns", number)
        filled = [cell for cell in cells if cell is not None and cell != ""]
        lengths = [len(cell) for cell in filled if isinstance(cell, str)]
        self.cells -= len(filled)
        self.text -= sum(lengths)
        if max(lengths, default=0) > _MAX_CELL:
            raise Unreadable(f"a cell has more than {_MAX_CELL:,} characters", number)
        if self.cells < 0 or self.text < 0:
            raise Unreadable("the file has more cells, or more text in them, than can be read", number)


def _within_budget(found: Iterator[Cells], budget: Budget) -> Iterator[Cells]:
    try:
        for number, cells in enumerate(found, start=1):
            budget.take(number, cells)
            yield cells
    except MemoryError:
        raise Unreadable("the file takes more memory than reading it may") from None


def _csv(path: Path) -> Iterator[Cells]:
    csv.field_size_limit(_MAX_CELL)
    with path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            head = file.readline(_MAX_LINE)
            delimiter = ";" if head.count(";") > head.count(",") else ","
            file.seek(0)
            reader = csv.reader(_lines(file), delimiter=delimiter, strict=True)
            yield from reader
        except UnicodeDecodeError:
            raise Unreadable(
                "the file is not UTF-8 (Excel's plain CSV is Windows-1252); save it as CSV UTF-8",
                _line_of_bad_bytes(path),
            ) from None
        except csv.Error as error:
            raise Unreadable(f"the file is not CSV: {error}", reader.line_num) from None


def _lines(file: io.TextIOWrapper) -> Iterator[str]:
    for number, line in enumerate(iter(partial(file.readline, _MAX_LINE), ""), start=1):
        if len(line) == _MAX_LINE:
            raise Unreadable(f"a line has more than {_MAX_LINE:,} characters", number)
        yield line


def _line_of_bad_bytes(path: Path) -> int | None:
    with path.open("rb") as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def _xlsx(path: Path) -> Iterator[Cells]:
    try:
        _check_size(path)
        with path.open("rb") as file:
            book = load_workbook(file, read_only=True, data_only=False, keep_links=False)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()
            yield from sheet.iter_rows(max_col=_MAX_COLUMNS, values_only=True)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable(f"the file is not a readable XLSX file ({type(error).__name__})") from None


def _check_size(path: Path) -> None:
    """An archive says how large its parts are, and is not read beyond that."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    most = min(_MOST_UNPACKED, max(_ALWAYS_UNPACKED, _MOST_RATIO * path.stat().st_size))
    if len(parts) > _MOST_PARTS or unpacked > most:
        raise Unreadable("the file unpacks to more than can be read")

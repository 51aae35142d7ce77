"""Files as rows of cells: CSV and XLSX, read row by row."""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from openpyxl import load_workbook

MAX_ROWS = 100_000
_MAX_COLUMNS = 64
_MOST_UNPACKED = 256 * 1024**2
_MOST_PARTS = 1000
_ZIP, _UTF16 = b"PK\x03\x04", (b"\xff\xfe", b"\xfe\xff")
Cells = Sequence[object]


class Unreadable(Exception):
    """The file as a whole cannot be taken; `row` where it is known."""

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.row = reason, row


def rows(path: Path) -> Iterator[Cells]:
    """Every row of a CSV file or of the first sheet of an XLSX file, headers first; raises Unreadable."""
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise Unreadable("the file is empty")
    if start.startswith(_ZIP):
        return _xlsx(path)
    if start.startswith(_UTF16):
        raise Unreadable("the file is UTF-16; save it as CSV UTF-8, or as XLSX")
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable("old XLS files and encrypted ones cannot be read; save it as XLSX or CSV UTF-8")
    return _csv(path)


def _csv(path: Path) -> Iterator[Cells]:
    with path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            head = file.readline()
            delimiter = ";" if head.count(";") > head.count(",") else ","
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            yield from reader
        except UnicodeDecodeError:
            raise Unreadable(
                "the file is not UTF-8 (Excel's plain CSV is Windows-1252); save it as CSV UTF-8",
                _line_of_bad_bytes(path),
            ) from None
        except csv.Error as error:
            raise Unreadable(f"the file is not CSV: {error}", reader.line_num) from None


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
    except Unreadable:
        raise
    except MemoryError:
        raise Unreadable("the file unpacks to more than can be read") from None
    except Exception as error:
        raise Unreadable(f"the file is not a readable XLSX file ({type(error).__name__})") from None


def _check_size(path: Path) -> None:
    """An archive says how large its parts are, and is not read beyond that."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
        raise Unreadable("the file unpacks to more than can be read")

"""Empty files to fill in."""

import io
from dataclasses import dataclass

from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from sim_service.provisioning.imports.parsing import COLUMNS

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TEXT_FORMAT = "@"


@dataclass(frozen=True, slots=True)
class Template:
    content: bytes
    media_type: str


def template(format: str) -> Template:
    """The columns of an import; the XLSX keeps what is typed as text, so that ICCIDs keep their digits."""
    if format == "csv":
        return Template((",".join(COLUMNS) + "\r\n").encode("utf-8-sig"), "text/csv; charset=utf-8")
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(COLUMNS))
    for number in range(1, len(COLUMNS) + 1):
        column = sheet.column_dimensions[get_column_letter(number)]
        column.number_format, column.width = _TEXT_FORMAT, 24
    file = io.BytesIO()
    book.save(file)
    return Template(file.getvalue(), XLSX_TYPE)

"""Workbooks written by hand, as an attacker would."""

import io
import random
import zipfile
from collections.abc import Mapping

from openpyxl import Workbook

SHEET, STRINGS, STYLES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"
_MAIN = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_HEADER = b'<row r="1"><c r="A1" t="inlineStr"><is><t>iccid</t></is></c></row>'
_HAS_STRINGS = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument'
    b'.spreadsheetml.sharedStrings+xml"/></Types>'
)


def sheet(rows: bytes) -> bytes:
    """A sheet with the header `iccid` and these rows."""
    return b"<worksheet " + _MAIN + b"><sheetData>" + _HEADER + rows + b"</sheetData></worksheet>"


def strings(*texts: bytes) -> bytes:
    items = b"".join(b"<si><t>" + text + b"</t></si>" for text in texts)
    return b"<sst " + _MAIN + b">" + items + b"</sst>"


def formats(number: int) -> bytes:
    """Cell formats, which a reader holds in memory."""
    return b"<styleSheet " + _MAIN + b"><cellXfs>" + b"<xf/>" * number + b"</cellXfs></styleSheet>"


def workbook(parts: Mapping[str, bytes], *, padding: int = 0) -> bytes:
    """A workbook with these parts; `padding`: bytes that do not compress, so that it looks harmless."""
    plain = io.BytesIO()
    book = Workbook()
    book.worksheets[0].append(["iccid"])
    book.save(plain)
    file = io.BytesIO()
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name in {*source.namelist(), *parts}:
            content = parts.get(name) or source.read(name)
            target.writestr(
                name, content.replace(b"</Types>", _HAS_STRINGS if STRINGS in parts else b"</Types>")
            )
        target.writestr("padding", random.Random(0).randbytes(padding))
    return file.getvalue()

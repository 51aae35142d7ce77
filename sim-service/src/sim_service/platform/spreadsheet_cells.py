"""Texts in the cells of a spreadsheet: tags in one cell, and nothing that a spreadsheet would calculate."""

import csv
import io
import re
from collections.abc import Sequence

_CALCULATED = ("=", "+", "-", "@", "\t", "\r")
_SEPARATOR = ";"
# Where a spreadsheet separates cells by something else than we do, what follows it within a cell begins one.
_INSIDE = re.compile(r"""([;|\t\r\n][ "]*)('*[=+@-])""")
_ESCAPED_INSIDE = re.compile(r"""([;|\t\r\n][ "]*)'('*[=+@-])""")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet could take the text for something to calculate."""
    return text.startswith(_CALCULATED)


def escape_formula(text: str) -> str:
    """The text as a cell that stays text: what could be calculated gets an apostrophe before it."""
    text = _INSIDE.sub(r"\1'\2", text)
    return f"'{text}" if is_formula(text.lstrip("'")) else text


def unescape_formula(text: str) -> str:
    """What `escape_formula` was given."""
    text = text[1:] if text.startswith("'") and is_formula(text.lstrip("'")) else text
    return _ESCAPED_INSIDE.sub(r"\1\2", text)


def join_tags(tags: Sequence[str]) -> str:
    """Tags as one cell, separated by semicolons."""
    line = io.StringIO()
    csv.writer(line, delimiter=_SEPARATOR, lineterminator="").writerow(tags)
    return line.getvalue() if tags else ""


def split_tags(cell: str) -> list[str]:
    """The tags of a cell; raises ValueError."""
    try:
        found = next(csv.reader([cell], delimiter=_SEPARATOR, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"not a list of tags: {error}") from None
    return [tag.strip() for tag in found if tag.strip()]

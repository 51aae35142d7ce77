"""Parses rows of cells; each cell is checked, and problems are named by row and column."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from sim_service.inventory.sims.fields import Label, Metadata, Tags
from sim_service.platform.iccid import normalize
from sim_service.platform.spreadsheet_cells import is_formula, split_tags, unescape_formula
from sim_service.provisioning.imports.sheets import Cells, Unreadable

SHOWN_PROBLEMS = 1000
_EXACT_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a row (the header is row 1); `column` None: with the row as a whole."""

    row: int
    column: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """One good row; None leaves what is there."""

    row: int
    iccid: str
    label: str | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    device_id: UUID | None = None


_LABEL: TypeAdapter[str] = TypeAdapter(Label)
_TAGS: TypeAdapter[list[str]] = TypeAdapter(Tags)
_METADATA: TypeAdapter[dict[str, Any]] = TypeAdapter(Metadata)


def _metadata(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    return _METADATA.validate_python(value, strict=True)


def _device(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValueError("is not a device's id") from None


COLUMNS: Mapping[str, Callable[[str], Any]] = {
    "iccid": normalize,
    "label": _LABEL.validate_python,
    "tags": lambda text: _TAGS.validate_python(split_tags(text)),
    "metadata": _metadata,
    "device_id": _device,
}
"""The columns that are read, with what their texts become."""


class MoreRows(Unreadable):
    """The file has more rows than were asked for."""


@dataclass
class FileParser:
    """What a file of at most `most_rows` holds; call `parse` first, then read the other fields."""

    most_rows: int
    total: int = 0
    bad: int = 0
    problems: list[Problem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def parse(self, rows: Iterator[Cells], known: frozenset[str]) -> Iterator[ParsedRow]:
        """The good rows. `known`: columns that may be there but are not read. Raises Unreadable."""
        header = self._header(next(rows, ()), known)
        first_rows: dict[str, int] = {}
        for number, cells in enumerate(rows, start=2):
            if all(cell is None or cell == "" for cell in cells):
                continue
            self.total += 1
            if self.total > self.most_rows:
                raise MoreRows(f"the file has more than {self.most_rows:,} rows", number)
            parsed = self._parse_row(number, header, cells)
            if parsed is None:
                self.bad += 1
            elif (earlier := first_rows.setdefault(parsed.iccid, number)) != number:
                self._add_problem(Problem(number, "iccid", f"the same SIM as in row {earlier}"))
                self.bad += 1
            else:
                yield parsed
        if not self.total:
            raise Unreadable("the file has no rows below its headers", 1)

    def _header(self, cells: Cells, known: frozenset[str]) -> list[str | None]:
        names = [str(cell).strip().lower() if cell is not None else "" for cell in cells]
        while names and not names[-1]:
            names.pop()
        expected = ", ".join(COLUMNS)
        for name in names:
            if name not in COLUMNS and name not in known:
                raise Unreadable(f"unknown column {name[:40]!r}; there are: {expected}", 1)
            if names.count(name) > 1:
                raise Unreadable(f"the column {name!r} is there twice", 1)
        if "iccid" not in names:
            raise Unreadable(f"there is no column iccid; the first row names the columns: {expected}", 1)
        self.ignored = [name for name in names if name not in COLUMNS]
        return [name if name in COLUMNS else None for name in names]

    def _parse_row(self, number: int, header: Sequence[str | None], cells: Cells) -> ParsedRow | None:
        if any(cell not in {None, ""} for cell in cells[len(header) :]):
            self._add_problem(Problem(number, None, "has more cells than there are columns"))
            return None
        values: dict[str, Any] = {}
        good = True
        for name, cell in zip(header, cells, strict=False):
            if name is None or cell is None or cell == "":
                continue
            try:
                if text := _text(cell):
                    values[name] = COLUMNS[name](text)
            except ValueError as error:
                self._add_problem(Problem(number, name, _reason(error)))
                good = False
        if good and "iccid" not in values:
            self._add_problem(Problem(number, "iccid", "is empty"))
            good = False
        return ParsedRow(number, **values) if good else None

    def _add_problem(self, problem: Problem) -> None:
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(problem)


def _text(cell: object) -> str:
    """The cell's text; raises ValueError for formulas, and for numbers that are no longer exact."""
    if isinstance(cell, str):
        if is_formula(cell):
            raise ValueError("begins like a formula (=, +, -, @); if it is meant as text, put ' before it")
        return unescape_formula(cell).strip()
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise ValueError("is not text; format the column as text")
    if not isfinite(cell):
        raise ValueError("is not a finite number")
    if cell != int(cell):
        return str(cell)
    digits = str(int(cell))
    if len(digits) > _EXACT_DIGITS:
        raise ValueError("is a number, of which spreadsheets keep 15 digits only; format the column as text")
    return digits


def _reason(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return str(first["msg"]).removeprefix("Value error, ")
    return str(error)

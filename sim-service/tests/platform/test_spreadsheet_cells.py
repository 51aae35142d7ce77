"""No cell has anything that a spreadsheet would calculate, and what was written is read again."""

import re

import pytest

from sim_service.platform.spreadsheet_cells import escape_formula, is_formula, unescape_formula

SEPARATORS = re.compile("[;|\t\r\n]")
DANGEROUS = (
    "=1+1",
    "+1",
    "@SUM(1)",
    "a;=1+1",
    "a; =1+1",
    "a\t=1+1",
    "a|-2+3",
    "a\r\n@x",
    ";;=1;+2",
    "=1;=2",
    "\t=1",
    '{"a":";=1"}',
    'a;"=b;c"',
)
HARMLESS = ("", "pump", "a;b", "pump -5 degrees", "a=b;c=d", "it's", "'quoted'", "a;'b'")


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_part_of_a_cell_can_be_calculated(text: str) -> None:
    escaped = escape_formula(text)
    assert not [part for part in SEPARATORS.split(escaped) if is_formula(part.strip(' "'))]


@pytest.mark.parametrize("text", [*DANGEROUS, *HARMLESS, "'=1", "''=1", "a;'=1", "a;''=1;=2", "a; '-1"])
def test_what_was_escaped_is_found_again(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_what_cannot_be_calculated_stays_as_it_is(text: str) -> None:
    assert escape_formula(text) == text

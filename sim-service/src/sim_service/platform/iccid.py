"""ICCIDs: 19 digits, or 20 with the Luhn digit that modems report."""

from typing import Annotated

from pydantic import AfterValidator, Field

LENGTH = 19
"""Digits of an ICCID without its Luhn digit, as carriers and our tables keep it (18 exist in older cards)."""


def luhn_digit(digits: str) -> int:
    doubled = (
        int(digit) * (2 if position % 2 == 0 else 1) for position, digit in enumerate(reversed(digits))
    )
    return -sum(value // 10 + value % 10 for value in doubled) % 10


def is_iccid(value: str) -> bool:
    """Whether this is an ICCID without Luhn digit in form."""
    return value.isascii() and value.isdigit() and LENGTH - 1 <= len(value) <= LENGTH


def normalize(value: str) -> str:
    """The ICCID without its Luhn digit; raises ValueError saying what is wrong."""
    digits = value.strip()
    if not digits.isascii() or not digits.isdigit():
        raise ValueError("an ICCID has only digits")
    if is_iccid(digits):
        return digits
    if len(digits) != LENGTH + 1:
        raise ValueError(f"an ICCID has {LENGTH} digits, or {LENGTH + 1} with its check digit")
    if luhn_digit(digits[:-1]) != int(digits[-1]):
        raise ValueError("the check digit is wrong")
    return digits[:-1]


Iccid = Annotated[str, AfterValidator(normalize)]
"""An ICCID in a request, with or without its Luhn digit; kept without."""

Iccids = Annotated[list[Iccid], Field(min_length=1, max_length=1000)]

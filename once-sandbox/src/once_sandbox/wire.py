"""How 1NCE writes things: dates in four formats, missing values left out, bodies that are empty."""

from typing import Annotated, Any

from fastapi import Response
from pydantic import AfterValidator

from once_sandbox.clock import as_datetime

Json = dict[str, Any]
"""A JSON object on its way out."""

MEGABYTE = 1024 * 1024
"""1NCE's v2 specification: a megabyte has 1,024 kilobytes."""


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair") from None
    return value


Text = Annotated[str, AfterValidator(_encodable)]
"""A string that can be sent back: JSON can smuggle in what UTF-8 cannot carry."""


def present(**fields: Any) -> Json:
    """An object without the fields that have no value: 1NCE omits them instead of sending null."""
    return {name: value for name, value in fields.items() if value is not None}


def zulu(moment: float) -> str:
    """`2026-11-21T09:30:00.000Z`."""
    return as_datetime(moment).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(moment * 1000) % 1000:03d}Z"


def offset(moment: float) -> str:
    """`2026-11-21T09:30:00.000+0000`."""
    return zulu(moment)[:-1] + "+0000"


def spaced(moment: float) -> str:
    """`2026-11-21 09:30:00`."""
    return as_datetime(moment).strftime("%Y-%m-%d %H:%M:%S")


def optional_zulu(moment: float | None) -> str | None:
    """The date, or nothing if it has not happened."""
    return None if moment is None else zulu(moment)


def empty(status: int, **headers: str) -> Response:
    """An answer without a body, as most of 1NCE's writes give."""
    return Response(
        status_code=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )

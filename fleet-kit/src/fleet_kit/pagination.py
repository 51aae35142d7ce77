"""Lists in pages, by number (with a total) or by cursor (without counting)."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict

from fleet_kit.errors import invalid

T = TypeVar("T")
MAX_PAGE_SIZE = 200
MAX_OFFSET = 1_000_000


class Page(BaseModel, Generic[T]):
    """One page. With a cursor `total` and `page` are null; `next_cursor` is null on the last page."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    items: list[T]
    total: int | None = None
    page: int | None = None
    page_size: int
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class PageParams:
    """The query parameters `page`, `page_size` and `cursor`."""

    page: int = 1
    page_size: int = 50
    cursor: str | None = None

    @property
    def offset(self) -> int:
        """Rows before this page, for pages by number."""
        return (self.page - 1) * self.page_size

    def position(self, length: int) -> list[Any] | None:
        """The decoded cursor of `length` values, None for pages by number; raises 422 when broken."""
        return None if self.cursor is None else decode_cursor(self.cursor, length)


async def _paging(
    page: Annotated[int, Query(ge=1, le=MAX_OFFSET)] = 1,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 50,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
) -> PageParams:
    # Not the class itself: the framework calls what is not a coroutine in a thread.
    if page * page_size > MAX_OFFSET:
        raise invalid("page", f"beyond {MAX_OFFSET} rows; continue with cursor instead")
    return PageParams(page, page_size, cursor)


Paging = Annotated[PageParams, Depends(_paging)]


def encode_cursor(values: list[Any]) -> str:
    """An opaque cursor from the sort values of the last row shown."""
    return base64.urlsafe_b64encode(orjson.dumps(values, option=orjson.OPT_UTC_Z)).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> list[Any]:
    """The values of a cursor; raises 422 naming `cursor`."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise invalid("cursor", "not a cursor of this list") from None
    if not isinstance(values, list) or len(values) != length:
        raise invalid("cursor", "not a cursor of this list")
    return values

"""Lists of rows in pages: by number with a total, or going on behind the last row shown without counting."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from fleet_kit.errors import invalid
from fleet_kit.pagination import Page, PageParams, encode_cursor
from fleet_kit.schemas import check_json, in_utc

E = TypeVar("E")
M = TypeVar("M", bound=BaseModel)
Column = InstrumentedAttribute[Any]


@dataclass(frozen=True)
class SortOrder:
    """An order as it is asked for (`email`, or `-email` for the last first); `tie` makes it total.

    An index on the columns, behind those that the list is always filtered by, makes every page as quick.
    """

    name: str
    column: Column
    tie: Column

    @property
    def descending(self) -> bool:
        """Whether the greatest comes first."""
        return self.name.startswith("-")

    @property
    def columns(self) -> list[Column]:
        """The columns to sort by."""
        return [self.column] if self.column is self.tie else [self.column, self.tie]


@dataclass(frozen=True)
class PageResult(Generic[E]):
    """One page of entities; `total` is None where a cursor was followed."""

    items: list[E]
    total: int | None
    next_cursor: str | None

    def to_page(self, show: Callable[[E], M], paging: PageParams) -> Page[M]:
        """The page as the response body."""
        return Page(
            items=[show(item) for item in self.items],
            total=self.total,
            page=paging.page if paging.cursor is None else None,
            page_size=paging.page_size,
            next_cursor=self.next_cursor,
        )


async def find_page(
    session: AsyncSession, wanted: Select[E], order: SortOrder, paging: PageParams
) -> PageResult[E]:
    """One page of what is wanted; raises 422 for a cursor of another list or order."""
    total = None
    statement = wanted.order_by(*(column.desc() if order.descending else column for column in order.columns))
    if paging.cursor is None:
        total = await session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        statement = statement.offset(paging.offset)
    else:
        here, position = tuple_(*order.columns), tuple_(*_position(order, paging))
        statement = statement.where(here < position if order.descending else here > position)
    rows = list(await session.scalars(statement.limit(paging.page_size + 1)))
    shown = rows[: paging.page_size]
    return PageResult(shown, total, _cursor(order, shown[-1]) if len(rows) > len(shown) else None)


def _cursor(order: SortOrder, last: object) -> str:
    values = (getattr(last, column.key) for column in order.columns)
    return encode_cursor([order.name, *(_plain(value) for value in values)])


def _plain(value: Any) -> str | int:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int) else str(value)


def _position(order: SortOrder, paging: PageParams) -> list[Any]:
    name, *values = paging.position(1 + len(order.columns)) or [None]
    try:
        if name != order.name:
            raise ValueError("of another order")
        return [_typed(column, value) for column, value in zip(order.columns, values, strict=True)]
    except (ValueError, TypeError, AttributeError):
        raise invalid("cursor", "not a cursor of this list") from None


def _typed(column: Column, value: Any) -> Any:
    """The value in the column's type; raises ValueError, TypeError."""
    kind = column.type.python_type
    if kind is int:
        if type(value) is not int or abs(value) >= 2**63:
            raise TypeError("not a whole number")
        return value
    if not isinstance(value, str):
        raise TypeError("not a text")
    check_json(value, max_depth=0)
    if kind is UUID:
        return UUID(value)
    if kind is date:
        return date.fromisoformat(value)
    if kind is not datetime:
        return value
    return in_utc(datetime.fromisoformat(value))

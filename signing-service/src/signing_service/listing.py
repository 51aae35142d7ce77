"""Lists in pages: by number with a total, or going on from a cursor without counting."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from fleet_kit.errors import invalid
from fleet_kit.pagination import Page, PageParams, encode_cursor
from fleet_kit.schemas import check_json

E = TypeVar("E")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Order:
    """An order as it is asked for (`email`, or `-email` for the last first); `tie` makes it total."""

    name: str
    column: InstrumentedAttribute[Any]
    tie: InstrumentedAttribute[UUID]

    @property
    def descending(self) -> bool:
        """Whether the greatest comes first."""
        return self.name.startswith("-")


@dataclass(frozen=True)
class Found(Generic[E]):
    """One page of entities; `total` is None where a cursor was followed."""

    items: list[E]
    total: int | None
    next_cursor: str | None

    def shown_as(self, model: type[M], paging: PageParams) -> Page[M]:
        """The page as the response body."""
        return Page(
            items=[model.model_validate(item) for item in self.items],
            total=self.total,
            page=paging.page if paging.cursor is None else None,
            page_size=paging.page_size,
            next_cursor=self.next_cursor,
        )


async def find_page(session: AsyncSession, wanted: Select[E], order: Order, paging: PageParams) -> Found[E]:
    """One page of what is wanted; raises 422 for a cursor of another list or order."""
    total = None
    columns = (order.column, order.tie)
    statement = wanted.order_by(*(column.desc() if order.descending else column for column in columns))
    if paging.cursor is None:
        total = await session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        statement = statement.offset(paging.offset)
    else:
        here, position = tuple_(*columns), _position(order, paging)
        statement = statement.where(here < position if order.descending else here > position)
    rows = list(await session.scalars(statement.limit(paging.page_size + 1)))
    shown = rows[: paging.page_size]
    return Found(shown, total, _cursor(order, shown[-1]) if len(rows) > len(shown) else None)


def _cursor(order: Order, last: object) -> str:
    value = getattr(last, order.column.key)
    text = value.isoformat() if isinstance(value, datetime) else value
    return encode_cursor([order.name, text, str(getattr(last, order.tie.key))])


def _position(order: Order, paging: PageParams) -> tuple[Any, UUID]:
    name, value, tie = paging.position(3) or [None] * 3
    try:
        if name != order.name or not isinstance(value, str):
            raise ValueError("of another order")
        check_json(value, max_depth=0)
        return _typed(order, value), UUID(tie)
    except (ValueError, TypeError, AttributeError):
        raise invalid("cursor", "not a cursor of this list") from None


def _typed(order: Order, value: str) -> str | datetime:
    if order.column.type.python_type is not datetime:
        return value
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("without an offset")
    return moment

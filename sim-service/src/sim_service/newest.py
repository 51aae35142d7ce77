"""Lists with the newest first, by number or by a cursor of (moment, id)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import invalid
from fleet_kit.pagination import Page, PageParams, encode_cursor

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A page of rows; `total` only for pages by number."""

    rows: Sequence[T]
    total: int | None
    next_cursor: str | None

    def page(self, paging: PageParams, shape: Callable[[T], S]) -> Page[S]:
        """The page as it is sent."""
        return Page(
            items=[shape(row) for row in self.rows],
            total=self.total,
            page=paging.page if paging.cursor is None else None,
            page_size=paging.page_size,
            next_cursor=self.next_cursor,
        )


async def newest(
    session: AsyncSession, statement: Select[Any], entity: Any, paging: PageParams
) -> Found[Any]:
    """A page of the statement's entities, newest first."""
    after = position(paging)
    wanted = statement
    if after is not None:
        wanted = wanted.where(tuple_(entity.created_at, entity.id) < tuple_(*after))
    wanted = wanted.order_by(entity.created_at.desc(), entity.id.desc()).limit(paging.page_size + 1)
    rows = (await session.execute(wanted.offset(0 if after else paging.offset))).scalars().all()
    total = None if after else await _count(session, statement)
    return cut(rows, paging, total, lambda row: [row.created_at.isoformat(), str(row.id)])


def cut(rows: Sequence[T], paging: PageParams, total: int | None, key: Callable[[T], list[Any]]) -> Found[T]:
    """The page of `rows`, of which one more was read than it holds."""
    shown = rows[: paging.page_size]
    return Found(shown, total, encode_cursor(key(shown[-1])) if len(rows) > len(shown) else None)


def position(paging: PageParams) -> tuple[datetime, UUID] | None:
    """Where the page starts; raises 422 for a cursor of another list."""
    values = paging.position(2)
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), UUID(values[1])
    except (TypeError, ValueError, AttributeError):
        raise invalid("cursor", "not a cursor of this list") from None


async def _count(session: AsyncSession, statement: Select[Any]) -> int:
    counted = select(func.count()).select_from(statement.order_by(None).subquery())
    number: int = (await session.execute(counted)).scalar_one()
    return number

"""Pages of a list: every row once and in order, by number and by cursor; any other cursor is refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Integer, String, Uuid, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fleet_kit.database import UtcDateTime, create_sessions
from fleet_kit.errors import FleetError
from fleet_kit.ids import uuid7
from fleet_kit.keyset_pagination import SortOrder, find_page
from fleet_kit.pagination import PageParams, encode_cursor

START = datetime(2026, 1, 1, tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    number: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


ORDERS = [
    SortOrder(f"{sign}{column.key}", column, Thing.id)
    for column in (Thing.id, Thing.number, Thing.name, Thing.at)
    for sign in ("", "-")
]


@pytest.fixture
async def session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """Seven things, of which several are equal but for their ids."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with create_sessions(engine)() as session:
        session.add_all(
            Thing(number=n // 2, name=f"ä{n % 3}", at=START + timedelta(seconds=n // 3)) for n in range(7)
        )
        await session.flush()
        yield session


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
async def test_pages_hold_every_row_once_in_order(session: AsyncSession, order: SortOrder) -> None:
    def place(thing: Thing) -> list[Any]:
        return [getattr(thing, column.key) for column in order.columns]

    things = sorted(await session.scalars(select(Thing)), key=place, reverse=order.descending)
    paging, seen = PageParams(page_size=2), []
    for _ in range(4):
        found = await find_page(session, select(Thing), order, paging)
        assert found.total == (None if paging.cursor else 7)
        seen += found.items
        paging = PageParams(page_size=2, cursor=found.next_cursor)
    assert (seen, found.next_cursor) == (things, None)
    by_number = await find_page(session, select(Thing), order, PageParams(page=3, page_size=2))
    assert (by_number.items, by_number.total) == (things[4:6], 7)


@pytest.mark.parametrize(
    "values",
    [
        ["-at", START.isoformat()],
        ["at", START.isoformat(), str(uuid7())],
        ["-at", START.isoformat(), 7],
        ["-at", "2026-01-01T00:00:00", str(uuid7())],
        ["-at", "yesterday", str(uuid7())],
        ["-at", 5, str(uuid7())],
        ["-at", None, None],
        [["-at"], START.isoformat(), str(uuid7())],
    ],
)
async def test_a_cursor_of_another_list_or_order_is_refused(session: AsyncSession, values: list[Any]) -> None:
    paging = PageParams(cursor=encode_cursor(values))
    with pytest.raises(FleetError) as caught:
        await find_page(session, select(Thing), SortOrder("-at", Thing.at, Thing.id), paging)
    assert caught.value.status == 422
    assert "cursor" in str(caught.value.details)


@pytest.mark.parametrize("value", ["1", True, 1.0, 2**63, None, {}])
async def test_a_forged_number_is_refused(session: AsyncSession, value: Any) -> None:
    paging = PageParams(cursor=encode_cursor(["number", value]))
    with pytest.raises(FleetError):
        await find_page(session, select(Thing), SortOrder("number", Thing.number, Thing.number), paging)


@pytest.mark.parametrize(("value", "shown"), [(2**40, 0), (-(2**40), 7)])
async def test_a_number_beyond_its_column_has_a_place(session: AsyncSession, value: int, shown: int) -> None:
    order = SortOrder("number", Thing.number, Thing.number)
    found = await find_page(
        session, select(Thing), order, PageParams(cursor=encode_cursor(["number", value]))
    )
    assert len(found.items) == shown


async def test_text_that_cannot_be_stored_is_refused(session: AsyncSession) -> None:
    paging = PageParams(cursor=encode_cursor(["name", "a\x00", str(uuid7())]))
    with pytest.raises(FleetError):
        await find_page(session, select(Thing), SortOrder("name", Thing.name, Thing.id), paging)

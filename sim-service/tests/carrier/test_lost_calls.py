"""Calls whose answer was lost: what counts as theirs, and when they never arrived."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from sim_service.carrier.lost_calls import Listing, LostCalls, growing_delay, read_pages

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Call:
    sent_at: datetime
    text: str = "same"


@dataclass(frozen=True)
class Item:
    id: int
    appeared_at: datetime | None
    text: str = "same"


LOST: LostCalls[Call, Item] = LostCalls(
    sent_at=lambda call: call.sent_at,
    appeared_at=lambda item: item.appeared_at,
    same_content=lambda call, item: call.text == item.text,
    identity=lambda call, item: item.id,
    clock_tolerance=MINUTE,
    longest_call=MINUTE,
    rank=lambda call, item: item.appeared_at or call.sent_at,
)


def listing(*items: Item, complete: bool = True) -> Listing[Item]:
    return Listing(items, complete=complete, begun_at=NOW + 10 * MINUTE)


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (Item(1, NOW), True),
        (Item(1, None), True),
        (Item(1, NOW - MINUTE), True),
        (Item(1, NOW + 2 * MINUTE), True),
        (Item(1, NOW - 2 * MINUTE), False),
        (Item(1, NOW + 3 * MINUTE), False),
        (Item(1, NOW, "other"), False),
        (Item(9, NOW), False),
    ],
)
def test_an_item_is_a_call_s_by_content_and_time_if_it_is_nobody_else_s(item: Item, found: bool) -> None:
    call = Call(NOW)
    settled = list(LOST.settle([call], listing(item), {9}, give_up=timedelta(0)))
    assert settled == [(call, item if found else None)]


def test_each_of_two_alike_calls_gets_one_item_the_earliest_first() -> None:
    calls = [Call(NOW), Call(NOW + timedelta(seconds=1))]
    items = [Item(2, NOW + MINUTE), Item(1, NOW)]
    found = [item for _, item in LOST.settle(calls, listing(*items), (), give_up=timedelta(0))]
    assert found == [items[1], items[0]]


@pytest.mark.parametrize(("complete", "give_up"), [(False, 0), (True, 11)])
def test_a_call_stays_unknown_while_the_list_proves_nothing(complete: bool, give_up: int) -> None:
    assert not list(LOST.settle([Call(NOW)], listing(complete=complete), (), give_up=give_up * MINUTE))


async def test_a_list_is_complete_if_its_last_page_was_read() -> None:
    async def read(page: int) -> list[int]:
        return [page]

    whole = await read_pages(read, lambda page: page[0] == 3, most_pages=3)
    assert (whole.items, whole.complete) == ([1, 2, 3], True)
    assert not (await read_pages(read, lambda page: page[0] == 3, most_pages=2)).complete


def test_delays_double_up_to_the_longest() -> None:
    delays = [growing_delay(times, longest=MINUTE).total_seconds() for times in (0, 1, 4, 5, 32_767)]
    assert delays == [2, 4, 32, 60, 60]

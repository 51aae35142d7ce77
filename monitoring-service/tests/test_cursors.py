"""A cursor is what anybody wrote: whatever it says, the answer costs what any other costs."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from itertools import product
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fleet_kit.scope import EVERYTHING
from fleet_kit.testing import eventually
from monitoring_service.directory.service import DirectoryService
from monitoring_service.store.client import Store
from monitoring_service.store.read_limiter import ReadLimiter
from monitoring_service.store.reads import READ_COST, BudgetedReads, ClientGone, PlainReads

pytestmark = pytest.mark.attack

NUMBERS = [
    0,
    1,
    -1,
    10**15,
    int(time.time() * 1000),
    2**31,
    2**32 - 1,
    2**61,
    2**62 - 1,
    2**62,
    2**63 - 1,
    2**70,
]
KEYS = ["", "~", "\ud800", "a\x00b", "x" * 500, str(uuid4())]
OTHERS: list[Any] = [1.5, 1e300, -0.0, None, True, "1", [], [1], [[1]], {}, {"$gt": 0}]
MOMENTS = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0", "-1"]
MOMENTS += [str(number) for number in NUMBERS]
QUERY_READINGS = 1000
MOST_READS = QUERY_READINGS // READ_COST + 10


def cursor(*values: Any) -> str:
    return urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each read that a request asks of the store."""
    asked: list[str] = []
    rows = BudgetedReads.rows

    async def counted(self: BudgetedReads, query: Any, most: int) -> Any:
        asked.append(str(query))
        assert len(asked) <= MOST_READS, "this request goes on without end"
        return await rows(self, query, most)

    monkeypatch.setattr(BudgetedReads, "rows", counted)
    return asked


def forbid_other_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on whatever a request reads counts against its budget."""

    async def refused(*_: Any) -> Any:
        raise AssertionError("a read outside the budget")

    monkeypatch.setattr(PlainReads, "rows", refused)


async def short(fleet: Any, path: str, **query: Any) -> httpx.Response:
    async with asyncio.timeout(30):
        answer: httpx.Response = await fleet.get(path, **query)
    assert answer.status_code in {200, 422}, (path, query, answer.text)
    return answer


async def test_no_cursor_makes_a_request_read_more_than_any_other(
    fleet: Any, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await fleet.device()
    await fleet.readings(device, *range(5))
    await fleet.worker.checkpoint.advance()
    monkeypatch.setattr(fleet.settings, "query_readings", QUERY_READINGS)
    forbid_other_reads(monkeypatch)
    single = [cursor(value) for value in (*NUMBERS, *KEYS, *OTHERS)]
    pairs = [cursor(*pair) for pair in product((*NUMBERS, None, [1]), (*KEYS, 5, None))]
    triples = [cursor(*three) for three in product((*NUMBERS, 1.5), ("~", 5), (*NUMBERS, [1]))]
    for path, cursors in {
        "/data": single,
        f"/data/{device}?interval=1d": single,
        f"/data/{device}": triples,
        "/latest": pairs,
        "/rejected": triples,
    }.items():
        for one in [*cursors, "", "%", cursor()]:
            reads.clear()
            where, _, interval = path.partition("?interval=")
            await short(fleet, where, cursor=one, **({"interval": interval} if interval else {}))


async def test_no_range_makes_a_request_read_more_than_its_budget(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await fleet.device()
    await fleet.readings(device, *range(5))
    monkeypatch.setattr(fleet.settings, "query_readings", QUERY_READINGS)
    forbid_other_reads(monkeypatch)
    for path, start, end in product(("/data", f"/data/{device}"), (*MOMENTS, None), (*MOMENTS, None)):
        query = {name: value for name, value in (("from", start), ("to", end)) if value is not None}
        await short(fleet, path, **query)


async def test_a_cursor_ahead_of_now_shows_what_is_stored(fleet: Any) -> None:
    device = await fleet.device()
    await fleet.readings(device, *range(5))
    first, ahead = await fleet.get("/data"), await short(fleet, "/data", cursor=cursor(2**61))
    assert len(ahead.json()["items"]) == 5
    assert ahead.json() == first.json()


async def test_pages_end_where_counting_alone_uses_the_budget_up(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await fleet.device()
    await fleet.readings(device, *range(25))
    monkeypatch.setattr(fleet.settings, "query_readings", 1)
    found = await fleet.all_items("/data", page_size=10)
    assert sorted(row["metrics"]["value"] for row in found) == list(range(25))


async def test_a_request_whose_client_has_left_reads_no_more(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, gone = asyncio.Event(), list[BaseException]()
    rows = BudgetedReads.rows

    async def slow(self: BudgetedReads, query: Any, most: int) -> Any:
        reading.set()
        try:
            while True:  # as a question that needs a read after the other
                await rows(self, query, most)
        except ClientGone as error:
            gone.append(error)
            raise

    monkeypatch.setattr(BudgetedReads, "rows", slow)
    asking = asyncio.create_task(fleet.get("/latest"))
    await reading.wait()
    asking.cancel()

    async def ended() -> bool:
        return bool(gone)

    await eventually(ended, timeout=10)


async def test_a_permit_that_comes_after_the_client_left_is_given_back() -> None:
    limiter = ReadLimiter(at_once=2, each=1, waiting=5, rest=0)

    async def left() -> bool:
        return True

    reads = BudgetedReads(limiter, "a", documents=10, seconds=5, is_gone=left)
    query: Any = None
    with pytest.raises(ClientGone):
        await reads.rows(query, 1)
    await limiter.acquire("a", 5)


async def test_organisations_are_listed_whole_in_bounded_reads(
    fleet: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {str(uuid4()) for _ in range(7)}
    monkeypatch.setattr("monitoring_service.directory.repository.MOST_ROWS", 3)
    for name in names:
        await store.organizations.insert_one({"_id": name})
    directory = DirectoryService(store, EVERYTHING)
    assert await directory.organizations() == sorted(names)


async def test_no_cursor_of_the_live_feed_makes_it_go_on_without_end(fleet: Any, live: Any) -> None:
    await fleet.readings(await fleet.device(), *range(5))
    client = await live()
    good = ["0", "1", "0" * 18, "9" * 18, str(int(time.time() * 1_000_000) - 10**9)]
    bad: list[Any] = [
        "-1",
        "",
        "1.5",
        "1e9",
        str(2**61),
        str(2**63 - 1),
        "\u0661",
        0,
        1.5,
        True,
        [],
        ["1"],
        {},
    ]
    for since in good:
        assert (await client.subscribe(since=since))["ok"], since
    for wrong in bad:
        assert (await client.subscribe(since=wrong))["error"]["code"] == "VALIDATION_FAILED", wrong

    async def caught_up() -> bool:
        return all(one.caught_up for one in fleet.app.state.feed.clients)

    await eventually(caught_up)

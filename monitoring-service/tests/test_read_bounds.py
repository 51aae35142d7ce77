"""However much one moment holds, a request takes it into memory a bounded part at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from monitoring_service.live.repository import FeedRepository
from monitoring_service.readings import consumers
from monitoring_service.rejected import repository as rejected_repository
from monitoring_service.store import scans
from monitoring_service.store.client import Store
from monitoring_service.store.reads import MOST_ROWS
from monitoring_service.store.sequence import MINUTE, StorageSequence

from .counting_reads import record_sizes

pytestmark = pytest.mark.attack

MOMENT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
FLOOD = 3 * MOST_ROWS


@pytest.fixture(autouse=True)
def patient(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is: these tests are about memory."""
    monkeypatch.setattr(fleet.settings, "query_seconds", 120)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many documents each query took from the store."""
    taken = record_sizes(monkeypatch)
    yield taken
    assert max(taken) <= MOST_ROWS


def flood(number: int, *, spoilt: bool = False) -> list[list[dict[str, Any]]]:
    """Messages full of readings of one millisecond."""
    metrics = {} if spoilt else {"value": 1}
    readings = [{"id": f"r{one:06}", "ts": MOMENT.isoformat(), "metrics": metrics} for one in range(number)]
    return [readings[start : start + 1000] for start in range(0, number, 1000)]


async def walked(fleet: Any, path: str, **query: Any) -> list[str]:
    """The ids of all pages, in their order."""
    return [item.get("reading_id") or item["id"] for item in await fleet.all_items(path, **query)]


async def test_intervals_are_added_up_from_bounded_reads(fleet: Any, message: Any, sizes: list[int]) -> None:
    device = await fleet.device()
    await fleet.store(*(message(*readings, device=device) for readings in flood(FLOOD)))
    await fleet.worker.checkpoint.advance()
    (bucket,) = await fleet.items(f"/data/{device}", interval="1d", agg="count")
    assert bucket["metrics"] == {"value": FLOOD}
    assert max(sizes) == MOST_ROWS


async def test_a_question_that_reads_too_much_ends_soon_after_its_limit(
    fleet: Any, message: Any, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet.settings, "query_readings", MOST_ROWS)
    device = await fleet.device()
    await fleet.store(*(message(*readings, device=device) for readings in flood(FLOOD)))
    await fleet.worker.checkpoint.advance()
    sizes.clear()
    answer = await fleet.get(f"/data/{device}", interval="1d", **{"from": MOMENT.isoformat()})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "QUERY_TOO_LARGE")
    assert sum(sizes) <= 2 * MOST_ROWS


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("metric", ["value", None])
async def test_every_reading_of_one_moment_is_listed_once_across_pages_and_requests(
    fleet: Any,
    message: Any,
    sizes: list[int],
    monkeypatch: pytest.MonkeyPatch,
    order: str,
    metric: str | None,
) -> None:
    monkeypatch.setattr(fleet.settings, "query_readings", MOST_ROWS // 2)
    device, query = await fleet.device(), {"metric": metric} if metric else {}
    before, after = ((MOMENT + timedelta(minutes=minutes)).isoformat() for minutes in (-1, 1))
    around = [{"id": name, "ts": ts, "metrics": {"value": 1}} for name, ts in (("a", before), ("z", after))]
    await fleet.store(*(message(*readings, device=device) for readings in [*flood(FLOOD), around]))
    await fleet.worker.checkpoint.advance()
    ids = await walked(fleet, f"/data/{device}", order=order, page_size=400, **query)
    expected = ["a", *(f"r{one:06}" for one in range(FLOOD)), "z"]
    assert ids == (expected if order == "asc" else expected[::-1])


async def test_rejected_messages_of_one_moment_are_listed_once_across_pages_and_requests(
    fleet: Any, message: Any, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet.settings, "query_readings", MOST_ROWS // 2)
    monkeypatch.setattr(rejected_repository, "_COUNTED", 0)
    monkeypatch.setattr(consumers, "MAX_LISTED", FLOOD)
    device = await fleet.device()
    for readings in flood(FLOOD, spoilt=True):
        await fleet.store(message(*readings, device=device, received_at=MOMENT))
    ids = await walked(fleet, "/rejected", page_size=200)
    assert sorted(ids) == [f"r{one:06}" for one in range(FLOOD)]


async def test_what_is_stored_at_once_is_listed_and_fed_in_its_order(
    fleet: Any, message: Any, store: Store, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a read of several organisations is cut off in the midst of them."""
    monkeypatch.setattr(scans, "MOST_ROWS", 20)
    organizations = [fleet.organization, uuid4(), uuid4()]
    devices = [await fleet.device(organization) for organization in organizations]
    await fleet.store(*(message(*flood(60)[0], device=device) for device in devices))
    await fleet.worker.checkpoint.advance()
    snapshot, names = await StorageSequence(store).snapshot(), [str(one) for one in organizations]
    pages = FeedRepository(store).after(names, snapshot.stable - MINUTE, snapshot)
    fed = [row async for page in pages for row in page]
    numbers = [row["seq"] for row in fed]
    assert numbers == sorted(set(numbers))
    assert sum("metrics" in row for row in fed) == 3 * 60
    ids = await walked(fleet, "/data", page_size=50)
    assert ids == [f"r{one:06}" for one in reversed(range(60))]

"""No question of one organisation stalls the others: what one request may read, and who may read when."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from fleet_kit.testing import eventually
from monitoring_service.settings import Settings
from monitoring_service.store.client import open_store
from monitoring_service.store.read_limiter import QueriesBusy, ReadLimiter
from monitoring_service.store.reads import BudgetedReads, QueryTimedOut

pytestmark = pytest.mark.attack

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW.replace(minute=0, second=0) - timedelta(hours=3)
MONTH = timedelta(days=30)


def error_of(answer: Any) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()["error"]
    return body


async def test_one_interval_of_too_many_readings_is_refused_with_the_limit_and_a_way_out(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet.settings, "query_readings", 300)
    device = await fleet.device()
    await fleet.readings(device, *range(900), start=START, step=1)
    query = {"from": START.isoformat(), "to": (START + timedelta(minutes=30)).isoformat()}
    answer = await fleet.get(f"/data/{device}", interval="1d", **query)
    assert answer.status_code == 422
    assert error_of(answer)["code"] == "QUERY_TOO_LARGE"
    assert error_of(answer)["details"]["limit_readings"] == 300
    assert "ask for a shorter one" in error_of(answer)["message"]
    found = await fleet.all_items(f"/data/{device}", interval="1m", agg="count", **query)
    assert [row["metrics"]["value"] for row in found] == [60] * 15


async def test_one_interval_of_too_many_metrics_is_refused_unless_they_are_named(
    fleet: Any, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet.settings, "query_figures", 500)
    device = await fleet.device()
    for number in range(40):
        reading = {
            "id": str(number),
            "ts": (START + timedelta(minutes=number)).isoformat(),
            "metrics": {f"m{number}_{name}": 1 for name in range(40)},
        }
        await fleet.store(message(reading, device=device))
    await fleet.worker.checkpoint.advance()
    answer = await fleet.get(f"/data/{device}", interval="1h", **{"from": START.isoformat()})
    assert (answer.status_code, error_of(answer)["code"]) == (422, "QUERY_TOO_LARGE")
    assert error_of(answer)["details"]["fields"][0]["field"] == "metric"
    named = await fleet.items(f"/data/{device}", interval="1h", metric=["m3_1", "m29_39"])
    assert [row["metrics"] for row in named] == [{"m3_1": 1, "m29_39": 1}]


async def test_a_question_without_enough_time_is_answered_503_and_frees_its_permit(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await fleet.device()
    await fleet.readings(device, *range(900), start=START)
    monkeypatch.setattr(fleet.settings, "query_seconds", 0.002)
    answer = await fleet.get(f"/data/{device}", interval="1d")
    assert answer.status_code == 503
    assert error_of(answer)["code"] in {
        "QUERIES_BUSY",
        "QUERY_TIMED_OUT",
    }  # as it ends while waiting or reading
    assert int(answer.headers["retry-after"]) > 0
    monkeypatch.undo()
    assert await eventually(lambda: fleet.items(f"/data/{device}", interval="1d"))


async def test_whoever_asks_too_much_at_once_is_told_so_and_others_are_answered(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs, stranger = await fleet.device(), uuid4(), ""
    stranger = await fleet.device(theirs)
    await fleet.readings(ours, *range(900), start=START)
    await fleet.readings(stranger, 1, 2, 3, start=START)
    many = [asyncio.create_task(fleet.get(f"/data/{ours}", interval="1d")) for _ in range(90)]
    await asyncio.sleep(0)
    neighbours = [await fleet.get(f"/data/{stranger}", theirs) for _ in range(5)]
    answers = await asyncio.gather(*many)
    assert {answer.status_code for answer in neighbours} == {200}
    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert error_of(refused)["code"] in {"QUERIES_BUSY", "QUERY_TIMED_OUT"}
    assert int(refused.headers["retry-after"]) > 0


async def test_an_organisation_that_asks_without_end_leaves_every_other_read_to_others() -> None:
    limiter = ReadLimiter(at_once=2, each=1, waiting=1000, rest=0)
    order: list[str] = []

    async def read(name: str) -> None:
        await limiter.acquire(name, 60)
        order.append(name)
        await asyncio.sleep(0)
        limiter.release(name, 0)

    greedy = [asyncio.create_task(read("greedy")) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.gather(*(read("modest") for _ in range(10)))
    assert order.count("greedy") <= 2 * order.count("modest") + 2
    await asyncio.gather(*greedy)
    assert not limiter._permits._own, "nothing is kept of who is gone"


async def test_a_permit_that_nobody_waits_for_any_more_is_held_until_the_store_has_answered() -> None:
    limiter = ReadLimiter(at_once=2, each=1, waiting=5, rest=0)
    reads, answer = BudgetedReads(limiter, "a", documents=10, seconds=0.05), asyncio.Event()

    class Slow:
        def limit(self, _: int) -> "Slow":
            return self

        async def to_list(self, _: int | None) -> list[Any]:
            await answer.wait()
            return []

    with pytest.raises(QueryTimedOut):
        await reads.rows(Slow(), 10)
    with pytest.raises(QueriesBusy):
        await limiter.acquire("a", 0.01)
    answer.set()
    await limiter.acquire("a", 60)


def test_settings_that_leave_no_room_for_others_are_refused(settings: Settings) -> None:
    values = settings.model_dump() | {"query_reads_at_once": 4, "query_reads_per_organization": 4}
    with pytest.raises(ValidationError, match="query_reads_per_organization"):
        Settings.model_validate(values)


async def test_a_store_that_does_not_answer_is_told_as_503_in_the_one_error_shape(
    settings: Settings, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1)
    gone = open_store("mongodb://127.0.0.1:9/?directConnection=true", "gone", timeout_seconds=0.2)
    monkeypatch.setattr(fleet.app.state, "store", gone)
    monkeypatch.setattr(fleet.settings, "mongo_timeout_seconds", 0.2)
    for path in ("/data", f"/data/{device}", "/latest", "/rejected"):
        answer = await fleet.get(path)
        assert (answer.status_code, error_of(answer)["code"]) == (503, "UNAVAILABLE"), path
        assert int(answer.headers["retry-after"]) > 0
    gone.close()


async def test_one_long_interval_of_a_silent_device_is_answered_and_not_refused(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet.settings, "query_readings", 1000)
    device = await fleet.device()
    await fleet.readings(device, *range(20), start=NOW - timedelta(days=60), step=3 * 86_400)
    await fleet.worker.checkpoint.advance()
    found = await fleet.items(f"/data/{device}", interval="366d", agg="count")
    assert sum(row["count"] for row in found) == 20


async def test_sums_and_averages_of_the_largest_numbers_are_numbers(fleet: Any) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1.7e308, 1.6e308, 1.7e308, start=START)
    query = {"from": START.isoformat(), "to": (START + timedelta(hours=1)).isoformat(), "interval": "1h"}
    (total,) = await fleet.items(f"/data/{device}", agg="sum", **query)
    (average,) = await fleet.items(f"/data/{device}", agg="avg", **query)
    assert total["metrics"]["value"] == pytest.approx(1.797e308, rel=0.001)
    assert average["metrics"]["value"] == pytest.approx(1.6667e308, rel=0.001)

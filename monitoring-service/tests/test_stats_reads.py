"""Figures at a glance read few times: with years of silence, and with many organisations."""

import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from monitoring_service.store.client import Store
from monitoring_service.store.counts import Counts
from monitoring_service.store.reads import MOST_ROWS
from monitoring_service.store.sequence import StorageSequence

from .counting_reads import CountingReads

DAYS = 24
"""Hours in one."""


async def count_hours(store: Store, organization: UUID, *ago: int) -> None:
    """Three readings in each of these hours before now."""
    hours = [int(time.time()) // 3600 - hour for hour in ago]
    await store.hourly.insert_many(
        {
            "_id": f"{organization}:{hour}",
            "organization_id": str(organization),
            "hour": hour,
            "minutes": {"5": 1, "59": 2},
        }
        for hour in hours
    )


@pytest.fixture
def counts(store: Store) -> Counts:
    return Counts(store, StorageSequence(store))


async def total(counts: Counts, organization: UUID, *, is_late: bool = False) -> tuple[int, list[int]]:
    """All its readings, and how many documents each read answered with."""
    reads = CountingReads(exhausted=is_late)
    found, _ = await counts.total([str(organization)], reads)
    return found, reads.sizes


async def test_hours_in_which_nothing_was_stored_cost_no_reads(store: Store, counts: Counts) -> None:
    organization = uuid4()
    await count_hours(store, organization, 3, 700, 89 * DAYS)
    found, sizes = await total(counts, organization)
    assert found == 9
    assert len(sizes) <= 4, sizes


async def test_an_organisation_that_always_sends_is_read_a_bounded_number_of_hours_at_a_time(
    store: Store, counts: Counts
) -> None:
    organization = uuid4()
    await count_hours(store, organization, *range(5, 5 + 90 * DAYS))
    found, sizes = await total(counts, organization)
    assert found == 3 * 90 * DAYS
    assert len(sizes) <= 10, sizes


async def test_many_hours_and_a_long_silence_after_them_are_read_in_few_pieces(
    store: Store, counts: Counts
) -> None:
    organization = uuid4()
    await count_hours(store, organization, 10, *range(3600 * DAYS, 3600 * DAYS + 2 * MOST_ROWS))
    found, sizes = await total(counts, organization)
    assert found == 3 * (2 * MOST_ROWS + 1)
    assert len(sizes) <= 12, sizes


async def test_what_was_counted_once_is_not_read_again_an_hour_later(
    store: Store, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization, now = uuid4(), time.time()
    await count_hours(store, organization, *range(1, 400))
    assert (await total(counts, organization))[0] == 3 * 399
    monkeypatch.setattr(time, "time", lambda: now + 2 * 3600)
    await count_hours(store, organization, 2)
    found, sizes = await total(counts, organization)
    assert found == 3 * 400
    assert sum(sizes) <= 5, sizes
    assert (await total(counts, organization))[0] == 3 * 400


async def test_deleted_hours_are_noticed_by_a_request_that_has_time_left(
    store: Store, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring_service.store.counts._RECOUNT_SECONDS", 0)
    organization = uuid4()
    await count_hours(store, organization, 10, 20, 30)
    assert (await total(counts, organization))[0] == 9
    await store.hourly.delete_one({"_id": f"{organization}:{int(time.time()) // 3600 - 30}"})
    assert (await total(counts, organization, is_late=True))[0] == 9
    assert (await total(counts, organization))[0] == 6


async def test_the_platform_administrator_sees_the_figures_of_hundreds_of_organisations(
    fleet: Any, store: Store
) -> None:
    organizations = [uuid4() for _ in range(300)]
    await store.organizations.insert_many({"_id": str(one)} for one in organizations)
    for one in organizations:
        await count_hours(store, one, 3, 80 * DAYS)
    headers = {"Authorization": f"Bearer {fleet.tokens.token(fleet.organization, is_admin=True)}"}
    answer = await fleet.http.get("/api/v1/monitoring/stats", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["readings_total"] == 6 * len(organizations)

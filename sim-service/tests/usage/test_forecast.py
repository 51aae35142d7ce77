"""Forecasts: the day of exhaustion with a band that holds, from what was really used."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sim_service.usage.quotas.forecast import History, WeekdayUse, forecast
from sim_service.work.jobs.models import JobKind

from ..billing_support import sandbox_control
from ..support import Fleet

MEGABYTE = 1024 * 1024
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


def history(days: dict[date, float]) -> History:
    by_weekday: list[list[float]] = [
        [used for day, used in days.items() if day.weekday() == n] for n in range(7)
    ]
    return [WeekdayUse(len(uses), sum(uses), sum(use * use for use in uses)) for uses in by_weekday]


def before(moment: datetime, uses: list[float]) -> History:
    """The last days before a moment, the newest last."""
    first = moment.date() - timedelta(days=len(uses))
    return history({first + timedelta(days=number): used for number, used in enumerate(uses)})


def test_steady_use_names_the_day_and_nothing_beside_it() -> None:
    told = forecast(95.0, MONDAY, before(MONDAY, [10.0] * 28))
    assert told.exhausted_on == told.earliest == told.latest == date(2026, 11, 11)
    assert (told.per_day, told.basis_days) == (10.0, 28)


def test_the_rest_of_the_present_day_counts_by_its_share() -> None:
    told = forecast(5.0, MONDAY + timedelta(hours=13), before(MONDAY, [10.0] * 28))
    assert told.exhausted_on == date(2026, 11, 3), "4.6 are used until midnight"


def test_working_days_are_told_from_weekends() -> None:
    uses = [0.0 if (MONDAY.date() - timedelta(days=28 - n)).weekday() >= 5 else 10.0 for n in range(28)]
    told = forecast(55.0, MONDAY, before(MONDAY, uses))
    assert told.exhausted_on == told.latest == date(2026, 11, 9), "five days' worth lasts over the weekend"


def test_without_use_nothing_is_foretold_and_without_days_nothing_is_known() -> None:
    unused = forecast(500.0, MONDAY, before(MONDAY, [0.0] * 28))
    assert (unused.exhausted_on, unused.earliest, unused.per_day) == (None, None, 0.0)
    unknown = forecast(500.0, MONDAY, before(MONDAY, [9.0, 9.0]))
    assert (unknown.exhausted_on, unknown.per_day, unknown.basis_days) == (None, None, 2)
    empty = forecast(-1.5, MONDAY, before(MONDAY, []))
    assert empty.exhausted_on == empty.latest == date(2026, 11, 2)


def test_the_band_holds_what_it_promises() -> None:
    chance, held, width = random.Random(7), 0, 0
    for _ in range(600):
        uses = [chance.gammavariate(1.2, 4.0) for _ in range(28)]
        told = forecast(200.0, MONDAY, before(MONDAY, uses))
        left, day = 200.0, MONDAY.date()
        while (left := left - chance.gammavariate(1.2, 4.0)) > 0:
            day += timedelta(days=1)
        assert told.earliest is not None
        held += told.earliest <= day <= (told.latest or date.max)
        width += (told.latest - told.earliest).days if told.latest else 60
    assert 0.74 <= held / 600 <= 0.9, held / 600
    assert width / 600 < 35


async def used_before(fleet: Fleet, index: int, megabytes: list[float]) -> str:
    """Let a SIM without any past use so much on each of the last days."""
    world = fleet.sandbox.sandbox.world
    sim = fleet.sandbox.sims()[index]
    sim.before_data, sim.data.used = 0, 0
    world.usage.days.pop(sim.iccid, None)
    today = datetime.now(UTC).replace(hour=12)
    for number, volume in enumerate(reversed(megabytes), start=1):
        moment = (today - timedelta(days=number)).isoformat()
        body = {"iccid": sim.iccid, "bytes": int(volume * MEGABYTE), "at": moment}
        await sandbox_control(fleet, "POST", "/usage", json=body)
    return sim.iccid


async def quota_of(fleet: Fleet, iccid: str) -> dict[str, Any]:
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_quota_says_when_it_will_be_used_up(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await used_before(fleet, 0, [5.0, 15.0] * 14)
    quota = await quota_of(fleet, iccid)
    told = quota["forecast"]
    assert (told["basis_days"], told["confidence"], told["ends_by"]) == (28, 0.8, "exhaustion")
    assert abs(told["per_day"] - 10) < 1e-3
    expected = datetime.now(UTC).date() + timedelta(days=22)
    assert abs((date.fromisoformat(told["exhausted_on"]) - expected).days) <= 1, "220 MB are left"
    assert told["earliest"] <= told["exhausted_on"] <= told["latest"]
    assert told["ends_on"] == told["exhausted_on"]


async def test_an_expiry_before_the_exhaustion_ends_the_quota(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await used_before(fleet, 0, [10.0] * 28)
    fleet.sandbox.sims()[0].data.expires_at = fleet.sandbox.sandbox.world.clock.now() + 5 * 86_400
    told = (await quota_of(fleet, iccid))["forecast"]
    soon = datetime.now(UTC).date() + timedelta(days=5)
    assert (told["ends_on"], told["ends_by"]) == (soon.isoformat(), "expiry")
    assert told["exhausted_on"] > told["ends_on"]


async def test_a_sim_that_has_just_begun_is_not_judged_by_the_days_before(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await used_before(fleet, 0, [0.0] * 20 + [7.0] * 8)
    told = (await quota_of(fleet, iccid))["forecast"]
    assert told["basis_days"] == 8
    assert abs(told["per_day"] - 7) < 1e-3


async def test_without_usage_from_the_carrier_the_quota_is_shown_without_a_forecast(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    told = (await quota_of(fleet, iccid))["forecast"]
    assert (told["exhausted_on"], told["per_day"], told["basis_days"]) == (None, None, 0)
    assert told["ends_by"] == "expiry"


async def test_quotas_are_listed_in_the_order_in_which_they_end(fleet: Fleet) -> None:
    first, second, third = await fleet.owned_sims(3)
    for index, volume in ((0, 5.0), (1, 16.0), (2, 0.0)):
        await used_before(fleet, index, [volume] * 28)
        await quota_of(fleet, (first, second, third)[index])
    listed = (await fleet.ours.viewer.get("/sims/quotas")).json()
    assert [row["iccid"] for row in listed["items"]] == [second, first, third]
    soon = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
    page = (await fleet.ours.viewer.get(f"/sims/quotas?ends_before={soon}")).json()
    assert [row["iccid"] for row in page["items"]] == [second]
    start = (await fleet.ours.viewer.get("/sims/quotas?page_size=2")).json()
    rest = await fleet.ours.viewer.get(f"/sims/quotas?page_size=2&cursor={start['next_cursor']}")
    assert [row["iccid"] for row in rest.json()["items"]] == [third]
    assert (await fleet.ours.viewer.get("/sims/quotas?state=low")).json()["total"] == 1
    assert (await fleet.theirs.viewer.get("/sims/quotas")).json()["items"] == []
    assert (await fleet.ours.viewer.get("/sims/quotas?kind=voice")).status_code == 422


async def test_own_thresholds_decide_when_a_quota_is_low(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    for index in (0, 1):
        quota = fleet.sandbox.sims()[index].data
        quota.used = int(quota.granted * 0.6)
    put = await fleet.ours.admin.put("/sims/quota-thresholds", json={"data": 50})
    assert put.json() == {"data": 50, "sms": None}
    await fleet.ours.operator.put(f"/sims/{second}/quota-thresholds", json={"data": 10})
    shown = [await quota_of(fleet, iccid) for iccid in (first, second)]
    assert [(one["state"], one["threshold_percent"]) for one in shown] == [("low", 50), ("ok", 10)]
    (event,) = await fleet.events("sim.quota_low")
    assert (event["data"]["iccid"], event["data"]["threshold_percent"]) == (first, 50.0)
    assert (await fleet.ours.operator.put("/sims/quota-thresholds", json={})).status_code == 403
    assert (await fleet.ours.viewer.put(f"/sims/{first}/quota-thresholds", json={})).status_code == 403
    assert (await fleet.theirs.admin.get(f"/sims/{first}/quota-thresholds")).status_code == 404
    assert (await fleet.ours.admin.put("/sims/quota-thresholds", json={"data": 101})).status_code == 422


async def test_the_job_asks_for_quotas_that_are_new_old_or_about_to_cross(fleet: Fleet) -> None:
    first, second, third = await fleet.owned_sims(3)
    await used_before(fleet, 0, [14.0] * 28)
    await quota_of(fleet, first)
    await quota_of(fleet, second)
    await fleet.rows(
        "UPDATE sim_quotas SET fetched_at = now() - interval '2 days' WHERE iccid = :iccid RETURNING 1",
        iccid=first,
    )
    fleet.sandbox.calls.clear()
    await fleet.request(JobKind.FORECAST_QUOTAS)
    assert await fleet.runner().once()
    (job,) = (await fleet.platform.get("/jobs?kind=forecast_quotas")).json()["items"]
    assert (job["state"], job["result"]) == ("succeeded", {"foretold": 2, "refreshed": 2})
    asked = sorted(path.split("/")[3] for path in fleet.sandbox.calls if "/quota/" in path)
    assert asked == [first, third], "the second is fresh and far from its end"

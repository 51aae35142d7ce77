"""The job that asks for the usage of all SIMs, and the maintenance of its tables."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import text

from fleet_kit.scope import EVERYTHING
from sim_service.carrier.models import Priority, QuotaKind
from sim_service.platform import partitions
from sim_service.platform.partitions import month_of
from sim_service.usage.quotas.service import QuotaService
from sim_service.usage.sim_usage.maintenance import TABLES, UsageMaintenance
from sim_service.work.jobs.models import JobKind

from ..push_support import pushed, record
from ..support import Fleet
from .test_usage import book, day
from .test_usage_sources import noon

KEPT = {"sim_usage": 1830, "sim_usage_hours": 400, "stream_records": 62, "device_usage": 1830}


async def synced(fleet: Fleet, **changes: Any) -> dict[str, Any]:
    """Run the job to its end; as the platform administrator sees it."""
    answer = await fleet.platform.post("/jobs", json={"kind": "sync_usage"})
    assert answer.status_code == 202, answer.text
    runner = fleet.runner(**changes)
    while await runner.once():
        pass
    job: dict[str, Any] = (await fleet.platform.get(f"/jobs/{answer.json()['id']}")).json()
    return job


async def test_every_owned_sim_is_asked_for_once_a_job(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(12)
    for iccid in iccids:
        book(fleet, iccid, 2, sent=4000)
    fleet.sandbox.calls.clear()
    job = await synced(fleet)
    assert (job["state"], job["total"], job["done"], job["result"]) == ("succeeded", 12, 12, {"synced": 12})
    assert fleet.sandbox.called("/usage") == 12
    kept = await fleet.rows("SELECT iccid, data_mo_bytes FROM sim_usage WHERE day = :day", day=day(2))
    assert {row.iccid for row in kept} == set(iccids)
    fleet.sandbox.calls.clear()
    await synced(fleet)
    asked = [path for path in fleet.sandbox.calls if path.endswith("/usage")]
    assert len(asked) == 12
    assert await fleet.events("sim.usage_recorded") != []


async def test_a_job_that_is_taken_up_again_asks_only_for_the_rest(fleet: Fleet) -> None:
    await fleet.owned_sims(10)
    await fleet.request(JobKind.SYNC_USAGE)
    seen: list[str] = []
    carrier = fleet.app.state.resources.carrier
    original = carrier.usage

    async def stops(iccid: str, *arguments: Any, **named: Any) -> Any:
        if len(seen) == 4:
            raise RuntimeError("stopped in the middle")
        seen.append(iccid)
        return await original(iccid, *arguments, **named)

    carrier.usage = stops
    try:
        await fleet.runner(usage_parallel_calls=1).once()
    finally:
        carrier.usage = original
    await fleet.rows("UPDATE jobs SET due_at = now() WHERE state = 'queued' RETURNING id")
    fleet.sandbox.calls.clear()
    runner = fleet.runner()
    while await runner.once():
        pass
    asked = {path.split("/")[3] for path in fleet.sandbox.calls if path.endswith("/usage")}
    assert len(asked) == 6
    assert not asked & set(seen)
    (job,) = await fleet.rows("SELECT state, done, total FROM jobs WHERE kind = 'sync_usage'")
    assert tuple(job) == ("succeeded", 10, 10)


async def test_a_sim_that_the_streamer_covers_is_asked_for_more_rarely(fleet: Fleet) -> None:
    covered, other = await fleet.owned_sims(2)
    await synced(fleet)
    await pushed(fleet, record(fleet, covered, at=noon(0), sent=10))
    fleet.sandbox.calls.clear()
    await synced(fleet)
    assert [path.split("/")[3] for path in fleet.sandbox.calls if path.endswith("/usage")] == [other]
    fleet.sandbox.calls.clear()
    await synced(fleet, usage_streamed_every_seconds=0)
    assert fleet.sandbox.called("/usage") == 2


async def test_usage_before_a_release_is_not_shown_to_the_next_owner(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    book(fleet, iccid, 3, sent=70_000)
    path = f"/sims/{iccid}/usage"
    assert (await fleet.ours.viewer.get(path)).json()["total"]["data_bytes"] >= 70_000
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    await synced(fleet)
    assert (await fleet.theirs.viewer.get(path)).json()["total"]["data_bytes"] == 0
    compared = (await fleet.theirs.viewer.get(f"{path}/comparison")).json()
    assert compared["total"]["carrier_bytes"] is None
    assert (await fleet.theirs.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid)
    assert (await fleet.ours.viewer.get(path)).json()["total"]["data_bytes"] >= 70_000


async def test_who_asks_anew_gets_nothing_of_before_a_release(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    for back in range(3):
        book(fleet, iccid, back, sent=70_000)
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    await fleet.rows("UPDATE sim_releases SET released_at = now() - interval '1 day' RETURNING iccid")
    for _ in range(2):
        answer = await fleet.theirs.operator.post(f"/sims/{iccid}/usage/sync")
        assert [item["day"] for item in answer.json()["items"]] == [day(0).isoformat()]
    assert {row.day for row in await fleet.rows("SELECT day FROM sim_usage")} == {day(0)}


async def test_the_quota_of_a_new_owner_brings_no_usage_of_the_one_before(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    book(fleet, iccid, 3, sent=70_000)
    await fleet.ours.viewer.get(f"/sims/{iccid}/usage")
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    quotas = QuotaService(fleet.sessions, EVERYTHING, fleet.app.state.resources.carrier, fresh=0)
    quota = await quotas.refresh_with_forecast(iccid, QuotaKind.DATA, Priority.BACKGROUND)
    assert (quota.organization_id, quota.basis_days) == (fleet.theirs.id, 0)
    kept = await fleet.rows("SELECT DISTINCT organization_id FROM sim_usage")
    assert [row.organization_id for row in kept] == [fleet.ours.id]


async def test_streamed_usage_is_told_of_once_it_has_been_gathered(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    maintenance = UsageMaintenance(fleet.sessions, kept_days=KEPT)
    await pushed(fleet, record(fleet, iccid, at=noon(1), sent=100))
    await pushed(fleet, record(fleet, iccid, at=noon(1), sent=50))
    await maintenance.publish_streamed()
    assert await fleet.events("sim.usage_recorded") == [], "not yet"
    await fleet.rows("UPDATE sim_usage SET tell_at = now() RETURNING iccid")
    await maintenance.publish_streamed()
    await maintenance.publish_streamed()
    (event,) = await fleet.events("sim.usage_recorded")
    assert (event["data"]["data_mo_bytes"], event["organizationid"]) == (150, str(fleet.ours.id))


async def test_partitions_are_made_ahead_take_over_from_the_default_one_and_are_dropped_when_old(
    fleet: Fleet,
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    (table,) = (one for one in TABLES if one.table == "sim_usage_hours")
    this = month_of(datetime.now(UTC).date())
    ahead, old = table.name(this + 3), table.name(this - 15)  # 400 days reach into the 14th month
    async with fleet.sessions.begin() as session:
        there = await partitions.partition_names(session, table)
        assert ahead in there
        if old not in there:
            await partitions.create(session, table, this - 15)
        await session.execute(text(f"DROP TABLE partitions.{ahead}"))
    moment = table.border(this + 3)
    insert = "INSERT INTO sim_usage_hours SELECT organization_id, iccid, :at, 1, 2, 3, 4 FROM sims"
    await fleet.rows(f"{insert} WHERE iccid = :iccid RETURNING iccid", at=moment, iccid=iccid)
    assert (await fleet.rows("SELECT count(*) FROM partitions.sim_usage_hours_default"))[0][0] == 1
    maintenance = UsageMaintenance(fleet.sessions, kept_days=KEPT)
    await maintenance.run()
    await maintenance.run()
    assert (await fleet.rows("SELECT count(*) FROM partitions.sim_usage_hours_default"))[0][0] == 0
    assert (await fleet.rows(f"SELECT count(*) FROM partitions.{ahead}"))[0][0] == 1
    async with fleet.sessions.begin() as session:
        there = await partitions.partition_names(session, table)
        assert old not in there
        indexes = await session.execute(
            text("SELECT count(*) FROM pg_indexes WHERE tablename = :name"), {"name": ahead}
        )
        assert indexes.scalar_one() == 2


async def test_the_rollup_is_the_sum_of_the_days_whoever_wrote_them(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(5)
    for iccid in iccids:
        book(fleet, iccid, 1, sent=300, sms_sent=2)
    await synced(fleet)
    await pushed(fleet, *(record(fleet, iccid, at=noon(0), sent=77) for iccid in iccids))
    await fleet.rows("DELETE FROM sim_usage WHERE iccid = :iccid RETURNING iccid", iccid=iccids[0])
    sums = "sum(data_mo_bytes), sum(data_mt_bytes), sum(sms_mo), sum(sms_mt)"
    days = await fleet.rows(f"SELECT organization_id, day, {sums} FROM sim_usage GROUP BY 1, 2 ORDER BY 1, 2")
    kept = await fleet.rows(
        "SELECT organization_id, day, data_mo_bytes, data_mt_bytes, sms_mo, sms_mt FROM organization_usage"
        " WHERE data_mo_bytes + data_mt_bytes + sms_mo + sms_mt > 0 ORDER BY 1, 2"
    )
    assert [tuple(row) for row in days] == [tuple(row) for row in kept]


def test_months_are_counted_over_the_end_of_a_year() -> None:
    table = TABLES[0]
    december = month_of(date(2026, 12, 31))
    assert (table.name(december), table.name(december + 1)) == ("sim_usage_2026_12", "sim_usage_2027_01")
    assert table.border(december + 1) == date(2027, 1, 1)
    assert TABLES[1].border(december) == datetime(2026, 12, 1, tzinfo=UTC)

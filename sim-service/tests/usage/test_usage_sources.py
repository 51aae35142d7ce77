"""Two sources of the same usage: the carrier's totals and its streamer, never added up."""

from datetime import UTC, datetime, timedelta
from typing import Any

from once_sandbox.usage.models import UsageDay
from once_sandbox.usage.service import usage_of

from ..push_support import pushed, record
from ..support import Fleet
from .test_usage import book, day, fresh_for


async def shown(fleet: Fleet, iccid: str, back: int) -> dict[str, Any]:
    params = {"from": day(back).isoformat(), "to": day(back).isoformat()}
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/usage", params=params)
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["items"]
    return dict(item)


def noon(back: int) -> datetime:
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return today - timedelta(days=back)


async def rollup(fleet: Fleet, back: int) -> int:
    rows = await fleet.rows("SELECT data_mo_bytes FROM organization_usage WHERE day = :day", day=day(back))
    return int(rows[0][0]) if rows else 0


def seeded(fleet: Fleet, iccid: str, back: int) -> UsageDay:
    world = fleet.sandbox.sandbox.world
    return usage_of(world, next(sim for sim in world.sims.own() if sim.iccid == iccid), day(back))


async def test_the_streamer_fills_the_current_day_and_is_not_added_to_the_carriers_total(
    fleet: Fleet,
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    book(fleet, iccid, 0, sent=1000)
    carrier = seeded(fleet, iccid, 0).sent
    assert (await shown(fleet, iccid, 0))["data_mo_bytes"] == carrier
    await pushed(fleet, record(fleet, iccid, at=noon(0), sent=carrier - 10))
    today = await shown(fleet, iccid, 0)
    assert (today["data_mo_bytes"], today["source"]) == (carrier, "streamer")
    await pushed(fleet, record(fleet, iccid, at=noon(0), sent=500))
    assert (await shown(fleet, iccid, 0))["data_mo_bytes"] == carrier + 490
    book(fleet, iccid, 0, sent=100)
    fresh_for(fleet, 0)
    assert (await shown(fleet, iccid, 0))["data_mo_bytes"] == carrier + 490, "a total of before is no less"
    assert await rollup(fleet, 0) == carrier + 490


async def test_the_carriers_total_of_a_day_that_is_over_is_the_truth(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    book(fleet, iccid, 3, sent=1000)
    carrier = seeded(fleet, iccid, 3).sent
    await pushed(fleet, record(fleet, iccid, at=noon(3), sent=carrier + 5000))
    assert await rollup(fleet, 3) == carrier + 5000
    settled = await shown(fleet, iccid, 3)
    assert (settled["data_mo_bytes"], settled["source"]) == (carrier, "carrier")
    await pushed(fleet, record(fleet, iccid, at=noon(3), sent=70_000))
    assert (await shown(fleet, iccid, 3))["data_mo_bytes"] == carrier
    assert await rollup(fleet, 3) == carrier
    kept = await fleet.rows("SELECT streamed_data_mo_bytes FROM sim_usage WHERE day = :day", day=day(3))
    assert kept == [(carrier + 75_000,)], "what was streamed stays to be seen"


async def test_usage_that_is_told_late_counts_for_who_had_the_sim_then(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    late = record(fleet, iccid, sent=100)
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    await pushed(fleet, late, record(fleet, iccid, at=datetime.now(UTC), sent=7))
    kept = await fleet.rows(
        "SELECT organization_id, streamed_data_mo_bytes FROM sim_usage WHERE streamed_data_mo_bytes > 0"
    )
    assert dict(map(tuple, kept)) == {fleet.ours.id: 100, fleet.theirs.id: 7}


async def test_hours_come_from_the_streamer(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await pushed(
        fleet,
        record(fleet, iccid, at=noon(1), sent=100, received=5),
        record(fleet, iccid, at=noon(1) + timedelta(minutes=5), sent=200),
        record(fleet, iccid, at=noon(1) + timedelta(minutes=50), seconds=0, sms_received=1),
    )
    params = {"from": day(1).isoformat(), "interval": "hour"}
    body = (await fleet.ours.viewer.get(f"/sims/{iccid}/usage", params=params)).json()
    assert [(item["hour"][11:], item["data_bytes"], item["sms_mt"]) for item in body["items"]] == [
        ("11:00:00.000Z", 105, 0),
        ("12:00:00.000Z", 200, 1),
    ]
    assert (body["total"]["data_bytes"], body["from"]) == (305, day(1).isoformat())
    theirs = await fleet.theirs.viewer.get(f"/sims/{iccid}/usage", params=params)
    assert theirs.status_code == 404


async def test_a_cost_is_an_estimate_by_our_own_prices_or_none(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    params = {"from": day(0).isoformat()}
    unpriced = await fleet.ours.viewer.get(f"/sims/{iccid}/usage", params=params)
    assert unpriced.json()["cost_estimate"] is None
    prices = {"usage_price_per_mb": "0.02", "usage_price_per_sms": "0.1", "usage_currency": "EUR"}
    fleet.app.state.settings = type(fleet.settings).model_validate(fleet.settings.model_dump() | prices)
    await pushed(fleet, record(fleet, iccid, at=noon(0), sent=10 * 1024 * 1024))
    await pushed(fleet, record(fleet, iccid, at=noon(0), seconds=0, sms_sent=1))
    body = (await fleet.ours.viewer.get(f"/sims/{iccid}/usage", params=params)).json()
    assert body["cost_estimate"] == {
        "amount": "0.3000",
        "currency": "EUR",
        "price_per_mb": "0.02",
        "price_per_sms": "0.1",
    }

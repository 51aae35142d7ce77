"""Usage: to the byte, with its age, asked for only where it can have grown, kept beyond its time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from once_sandbox.usage.models import UsageDay

from ..support import Fleet

TODAY = datetime.now(UTC).date()


def day(back: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=back)


def fresh_for(fleet: Fleet, seconds: float) -> None:
    fleet.app.state.settings = fleet.settings.model_copy(update={"usage_fresh_seconds": seconds})


async def read(fleet: Fleet, iccid: str, first: int = 6, last: int = 0) -> dict[str, Any]:
    params = {"from": day(first).isoformat(), "to": day(last).isoformat()}
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/usage", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def book(fleet: Fleet, iccid: str, back: int, **volumes: int) -> None:
    fleet.sandbox.sandbox.world.usage.book(iccid, day(back), UsageDay(**volumes))


async def test_usage_agrees_with_the_carrier_to_the_byte(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    book(fleet, iccid, 0, sent=1_234_567, received=89, sms_sent=2, sms_received=1)
    before = await read(fleet, iccid, 0)
    today = before["items"][-1]
    assert today["day"] == day(0).isoformat()
    assert (today["data_mo_bytes"], today["data_mt_bytes"]) == (1_234_567, 89)
    assert (today["data_bytes"], today["sms_mo"], today["sms_mt"]) == (1_234_656, 2, 1)
    assert (before["from"], before["to"]) == (day(0).isoformat(),) * 2


async def test_every_day_of_the_range_is_there_and_the_total_is_their_sum(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    book(fleet, iccid, 3, sent=1000)
    usage = await read(fleet, iccid, 9)
    assert [item["day"] for item in usage["items"]] == [day(back).isoformat() for back in range(9, -1, -1)]
    for name, total in usage["total"].items():
        assert total == sum(item[name] for item in usage["items"])
    stored = await fleet.rows("SELECT day FROM sim_usage")
    used = [item for item in usage["items"] if item["data_bytes"] or item["sms_mo"] or item["sms_mt"]]
    assert len(stored) == len(used), "days without usage take no space"


async def test_days_are_told_of_when_they_are_new_or_grew(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    book(fleet, iccid, 1, sent=500)
    await read(fleet, iccid, 1)
    await fleet.forget_events()
    fresh_for(fleet, 0)
    await read(fleet, iccid, 1)
    assert await fleet.events("sim.usage") == []
    book(fleet, iccid, 0, sent=700)
    await read(fleet, iccid, 1)
    (event,) = await fleet.events("sim.usage_recorded")
    assert event["organizationid"] == str(fleet.ours.id)
    assert event["data"]["day"] == day(0).isoformat()
    assert event["data"]["data_mo_bytes"] >= 700


async def test_the_carrier_is_asked_only_for_what_may_have_grown(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    path = f"/v1/sims/{iccid}/usage"
    await read(fleet, iccid, 20)
    await read(fleet, iccid, 20)
    await read(fleet, iccid, 10, 5)
    assert fleet.sandbox.called(path) == 1
    fresh_for(fleet, 0)
    await read(fleet, iccid, 10, 5)
    assert fleet.sandbox.called(path) == 1, "days long past do not grow"
    await read(fleet, iccid, 10)
    assert fleet.sandbox.called(path) == 2
    await read(fleet, iccid, 40)
    assert fleet.sandbox.called(path) == 3, "further back than was ever asked for"
    await read(fleet, iccid, 300)
    await read(fleet, iccid, 350, 200)
    assert fleet.sandbox.called(path) == 4, "the carrier keeps six months, there is no use in asking for more"


async def test_what_the_carrier_has_forgotten_is_still_shown(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await read(fleet, iccid)
    await fleet.rows(
        "INSERT INTO sim_usage SELECT organization_id, iccid, :day, 5, 6, 7, 8, now() FROM sims"
        " WHERE iccid = :iccid RETURNING iccid",
        day=day(400),
        iccid=iccid,
    )
    (kept,) = (await read(fleet, iccid, 401, 399))["items"]
    assert (kept["day"], kept["data_bytes"]) == (day(400).isoformat(), 11)


async def test_while_the_carrier_is_away_known_usage_is_shown_with_its_age(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    book(fleet, first, 0, sent=4000)
    before = await read(fleet, first)
    fresh_for(fleet, 0)
    fleet.sandbox.broken = 500
    stale = await read(fleet, first)
    assert (stale["items"], stale["as_of"]) == (before["items"], before["as_of"])
    assert (stale["stale"], stale["stale_reason"]) == (True, "CARRIER_UNAVAILABLE")
    answer = await fleet.ours.viewer.get(f"/sims/{second}/usage")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "CARRIER_UNAVAILABLE")
    forced = await fleet.ours.operator.post(f"/sims/{first}/usage/sync")
    assert forced.status_code == 503
    fleet.sandbox.broken = None


@pytest.mark.parametrize("status", [410, 404, 501])
async def test_with_v1_switched_off_usage_says_so_and_all_else_goes_on(fleet: Fleet, status: int) -> None:
    first, second = await fleet.owned_sims(2)
    await read(fleet, first)
    behaviours = fleet.sandbox.sandbox.world.behaviours
    behaviours.v1_enabled, behaviours.v1_end_status = False, status
    answer = await fleet.ours.viewer.get(f"/sims/{second}/usage")
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "CARRIER_OPERATION_UNAVAILABLE")
    fresh_for(fleet, 0)
    assert (await read(fleet, first))["stale_reason"] == "CARRIER_OPERATION_UNAVAILABLE"
    assert (await fleet.ours.viewer.get(f"/sims/{second}/quotas")).status_code == 200
    assert (await fleet.sync())["state"] == "succeeded"


async def test_usage_is_asked_for_at_once_on_demand(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await read(fleet, iccid)
    book(fleet, iccid, 0, sent=123)
    body = {"from": day(2).isoformat(), "to": day(0).isoformat()}
    answer = await fleet.ours.operator.post(f"/sims/{iccid}/usage/sync", json=body)
    assert (answer.status_code, len(answer.json()["items"])) == (200, 3)
    assert answer.json()["items"][-1]["data_mo_bytes"] >= 123
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/usage/sync")).status_code == 200


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "2026-05-02", "to": "2026-05-01"}, "from"),
        ({"from": "2020-01-01", "to": "2026-01-01"}, "from"),
        ({"from": "2999-01-01"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"from": "0001-01-01", "to": "0001-01-02"}, "from"),
        ({"to": "0001-01-02"}, "to"),
        ({"from": day(1900).isoformat(), "to": day(1899).isoformat()}, "from"),
        ({"from": day(410).isoformat(), "to": day(405).isoformat(), "interval": "hour"}, "from"),
        ({"from": day(40).isoformat(), "interval": "hour"}, "from"),
        ({"interval": "minute"}, "interval"),
    ],
)
async def test_an_impossible_range_is_refused_naming_the_end(
    fleet: Fleet, params: dict[str, str], field: str
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/usage", params=params)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == field
    unknown = await fleet.ours.operator.post(f"/sims/{iccid}/usage/sync", json={"since": "2026-01-01"})
    assert unknown.status_code == 422


async def test_the_default_is_the_last_thirty_days(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    usage = (await fleet.ours.viewer.get(f"/sims/{iccid}/usage")).json()
    assert (usage["from"], usage["to"], len(usage["items"])) == (day(29).isoformat(), day(0).isoformat(), 30)


async def test_a_range_into_the_future_ends_today(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    ahead = day(-400).isoformat()
    whole = {"from": day(29).isoformat(), "to": day(0).isoformat()}
    for path in (f"/sims/{iccid}/usage", "/sims/usage", "/sims/usage/top", f"/sims/{iccid}/usage/comparison"):
        shown = (await fleet.ours.viewer.get(path, params={"to": ahead})).json()
        assert {name: shown[name] for name in whole} == whole
    hours = (await fleet.ours.viewer.get(f"/sims/{iccid}/usage?interval=hour&to={ahead}")).json()
    assert (hours["from"], hours["to"]) == (day(1).isoformat(), day(0).isoformat())
    fleet.sandbox.calls.clear()
    await fleet.ours.operator.post(f"/sims/{iccid}/usage/sync", json={"to": ahead})
    assert fleet.sandbox.called("/usage") == 1

"""Totals of organisations and tags, and the SIMs that used most."""

from datetime import timedelta
from typing import Any

import pytest

from ..push_support import pushed, record
from ..support import Fleet
from .test_usage import day
from .test_usage_sources import noon

RANGE = {"from": day(2).isoformat(), "to": day(0).isoformat()}


async def totals(fleet: Fleet, client: Any = None, **params: Any) -> dict[str, Any]:
    answer = await (client or fleet.ours.viewer).get("/sims/usage", params=RANGE | params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def used(fleet: Fleet, *sent: int, back: int = 1) -> list[str]:
    """So many SIMs of ours, each of which sent so much on that day."""
    iccids = await fleet.owned_sims(len(sent))
    await pushed(
        fleet,
        *(
            record(fleet, iccid, at=noon(back), sent=volume)
            for iccid, volume in zip(iccids, sent, strict=True)
        ),
    )
    return iccids


async def test_the_organisations_days_are_the_sum_of_its_sims(fleet: Fleet) -> None:
    iccids = await used(fleet, 100, 20, 3)
    await pushed(fleet, record(fleet, iccids[0], at=noon(0), received=7))
    await pushed(fleet, record(fleet, iccids[0], at=noon(0), seconds=0, sms_sent=1))
    body = await totals(fleet)
    assert [(item["start"], item["data_bytes"], item["sms_mo"]) for item in body["items"]] == [
        (day(1).isoformat(), 123, 0),
        (day(0).isoformat(), 7, 1),
    ]
    assert {item["organization_id"] for item in body["items"]} == {str(fleet.ours.id)}
    assert (body["sum"]["data_bytes"], body["total"], body["as_of"]) == (130, 2, None)
    await fleet.ours.operator.post(f"/sims/{iccids[0]}/usage/sync")
    assert (await totals(fleet))["as_of"] is not None


async def test_nobody_sees_another_organisations_totals(fleet: Fleet) -> None:
    (iccid,) = await used(fleet, 100)
    await fleet.claim(fleet.sandbox.sims()[5].iccid, by=fleet.theirs)
    await pushed(fleet, record(fleet, fleet.sandbox.sims()[5].iccid, at=noon(1), sent=5))
    assert (await totals(fleet))["sum"]["data_bytes"] == 100
    assert (await totals(fleet, fleet.theirs.viewer))["sum"]["data_bytes"] == 5
    everyone = await totals(fleet, fleet.platform)
    assert (everyone["sum"]["data_bytes"], everyone["total"]) == (105, 2)
    top = (await fleet.theirs.viewer.get("/sims/usage/top", params=RANGE)).json()["items"]
    assert iccid not in {item["iccid"] for item in top}


async def test_tags_add_up_their_sims_and_the_sum_counts_each_sim_once(fleet: Fleet) -> None:
    iccids = await used(fleet, 100, 20, 3)
    for iccid, tags in zip(iccids, (["north", "pumps"], ["north"], []), strict=True):
        answer = await fleet.ours.operator.patch(f"/sims/{iccid}", json={"tags": tags})
        assert answer.status_code in {200, 202}, answer.text
    body = await totals(fleet, group_by="tag")
    assert [(item["tag"], item["data_bytes"]) for item in body["items"]] == [("north", 120), ("pumps", 100)]
    assert body["sum"]["data_bytes"] == 123
    pumps = await totals(fleet, group_by="tag", tag="pumps")
    assert [(item["tag"], item["data_bytes"]) for item in pumps["items"]] == [("pumps", 100)]
    tagged = await totals(fleet, tag="north")
    assert [(item["start"], item["data_bytes"]) for item in tagged["items"]] == [(day(1).isoformat(), 120)]
    assert tagged["sum"]["data_bytes"] == 120


async def test_hours_and_months(fleet: Fleet) -> None:
    (iccid,) = await used(fleet, 100)
    await pushed(fleet, record(fleet, iccid, at=noon(1) + timedelta(hours=3), sent=5))
    hours = await totals(fleet, interval="hour")
    assert [(item["start"][11:13], item["data_bytes"]) for item in hours["items"]] == [("11", 100), ("14", 5)]
    assert hours["sum"]["data_bytes"] == 105
    months = await totals(fleet, interval="month")
    assert sum(item["data_bytes"] for item in months["items"]) == 105
    assert {item["start"][8:] for item in months["items"]} == {"01"}
    by_tag = await totals(fleet, interval="hour", group_by="tag")
    assert (by_tag["items"], by_tag["sum"]["data_bytes"]) == ([], 105)


@pytest.mark.parametrize("interval", ["hour", "day"])
async def test_pages_by_number_and_cursor_meet_no_row_twice(fleet: Fleet, interval: str) -> None:
    (iccid,) = await used(fleet, 1)
    await pushed(
        fleet, *(record(fleet, iccid, at=noon(2) + timedelta(hours=12 * n), sent=1) for n in range(5))
    )
    whole = await totals(fleet, interval=interval)
    seen: list[Any] = []
    page = await totals(fleet, interval=interval, page_size=1)
    while True:
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        page = await totals(fleet, interval=interval, page_size=1, cursor=page["next_cursor"])
        assert (page["total"], page["sum"]) == (None, None)
    assert seen == whole["items"]
    second = await totals(fleet, interval=interval, page=2, page_size=1)
    assert second["items"] == [whole["items"][1]]
    behind = await totals(fleet, interval=interval, page=9, page_size=200)
    assert (behind["items"], behind["total"]) == ([], whole["total"])


async def test_the_sims_that_used_most_come_first(fleet: Fleet) -> None:
    iccids = await used(fleet, 100, 20, 300)
    await pushed(fleet, record(fleet, iccids[1], at=noon(0), seconds=0, sms_sent=1))
    body = (await fleet.ours.viewer.get("/sims/usage/top", params=RANGE | {"limit": 2})).json()
    assert [(item["iccid"], item["data_bytes"]) for item in body["items"]] == [
        (iccids[2], 300),
        (iccids[0], 100),
    ]
    by_sms = (await fleet.ours.viewer.get("/sims/usage/top", params=RANGE | {"metric": "sms"})).json()
    assert [item["iccid"] for item in by_sms["items"]] == [iccids[1]]


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("", {"from": day(1).isoformat(), "to": day(2).isoformat()}, "from"),
        ("", {"from": day(1900).isoformat(), "to": day(1890).isoformat()}, "from"),
        ("", {"from": day(40).isoformat(), "interval": "hour"}, "from"),
        ("", {"interval": "minute"}, "interval"),
        ("", {"group_by": "sim"}, "group_by"),
        ("", {"cursor": "x"}, "cursor"),
        ("/top", {"metric": "money"}, "metric"),
        ("/top", {"limit": "0"}, "limit"),
        ("/top", {"limit": "201"}, "limit"),
    ],
)
async def test_what_cannot_be_answered_is_refused_naming_the_field(
    fleet: Fleet, path: str, params: dict[str, str], field: str
) -> None:
    answer = await fleet.ours.viewer.get(f"/sims/usage{path}", params=params)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == field


async def test_totals_need_a_login(fleet: Fleet) -> None:
    for path in ("/sims/usage", "/sims/usage/top"):
        assert (await fleet.anyone.get(path)).status_code == 401

"""Quotas: with their age, newly asked for when old, told of once per crossing."""

import asyncio
from typing import Any

import pytest

from sim_service.carrier.models import CarrierQuota, QuotaKind
from sim_service.work.jobs.models import JobKind

from ..billing_support import inject_fault
from ..support import Fleet

MEGABYTE = 1024 * 1024


def fresh_for(fleet: Fleet, seconds: float) -> None:
    fleet.app.state.settings = fleet.settings.model_copy(update={"quota_fresh_seconds": seconds})


async def read(fleet: Fleet, iccid: str, kind: str = "data") -> dict[str, Any]:
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/quota/{kind}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def use_up_to(fleet: Fleet, index: int, used: float, *, of: str = "data") -> None:
    quota = getattr(fleet.sandbox.sims()[index], of)
    quota.used = int(quota.granted * used)


async def test_a_quota_is_what_the_carrier_says(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    theirs = fleet.sandbox.sims()[0]
    quota = await read(fleet, iccid)
    assert quota["kind"] == "data"
    assert abs(quota["remaining"] - theirs.data.remaining / MEGABYTE) < 1e-5
    assert (quota["total"], quota["threshold_percent"], quota["state"]) == (500, 20, "ok")
    assert quota["expires_at"].endswith("Z")
    assert (quota["stale"], quota["stale_reason"]) == (False, None)
    both = (await fleet.ours.viewer.get(f"/sims/{iccid}/quotas")).json()
    assert both["data"]["remaining"] == quota["remaining"]
    assert (both["sms"]["total"], both["sms"]["kind"]) == (250, "sms")
    assert fleet.sandbox.called(f"/v2/sims/{iccid}/quota/data") == 1


async def test_a_fresh_quota_is_not_asked_for_again_an_old_one_is(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    before = await read(fleet, iccid)
    use_up_to(fleet, 0, 0.75)
    assert (await read(fleet, iccid))["remaining"] == before["remaining"]
    fresh_for(fleet, 0)
    assert abs((await read(fleet, iccid))["remaining"] - 125) < 0.01


async def test_while_the_carrier_is_away_the_known_quota_is_shown_with_its_age(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    before = await read(fleet, first)
    fresh_for(fleet, 0)
    fleet.sandbox.broken = 503
    stale = await read(fleet, first)
    assert (stale["remaining"], stale["as_of"]) == (before["remaining"], before["as_of"])
    assert (stale["stale"], stale["stale_reason"]) == (True, "CARRIER_UNAVAILABLE")
    unknown = await fleet.ours.viewer.get(f"/sims/{second}/quota/data")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (503, "CARRIER_UNAVAILABLE")
    fleet.sandbox.broken = None


async def test_each_crossing_is_told_once(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fresh_for(fleet, 0)
    for used in (0.5, 0.79, 0.85, 0.9, 1.01, 1.02):
        use_up_to(fleet, 0, used)
        await read(fleet, iccid)
    events = await fleet.events("sim.quota")
    assert [event["type"] for event in events] == ["sim.quota_low", "sim.quota_exhausted"]
    assert events[0]["organizationid"] == str(fleet.ours.id)
    assert events[0]["data"] | {"remaining": 0} == {
        "iccid": iccid, "quota": "data", "remaining": 0, "total": 500.0, "threshold_percent": 20.0,
    }  # fmt: skip
    assert abs(events[0]["data"]["remaining"] - 75) < 0.01
    assert events[1]["data"]["remaining"] < 0
    use_up_to(fleet, 0, 0.1)
    await read(fleet, iccid)
    use_up_to(fleet, 0, 1.5)
    await read(fleet, iccid)
    again = [event["type"] for event in await fleet.events("sim.quota")]
    assert again[2:] == ["sim.quota_low", "sim.quota_exhausted"], (
        "after a top-up the same thresholds count anew"
    )


async def test_many_readers_at_once_tell_of_a_crossing_once(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fresh_for(fleet, 0)
    await read(fleet, iccid)
    use_up_to(fleet, 0, 0.9)
    await asyncio.gather(*(read(fleet, iccid) for _ in range(8)))
    assert [event["type"] for event in await fleet.events("sim.quota")] == ["sim.quota_low"]


async def test_a_sync_that_hears_of_a_crossing_has_the_quota_asked_for(fleet: Fleet) -> None:
    first, second, _ = await fleet.owned_sims(3)
    await read(fleet, first)
    await read(fleet, second)
    use_up_to(fleet, 0, 0.85)
    use_up_to(fleet, 1, 1.0, of="sms")
    await fleet.rows("UPDATE sim_quotas SET fetched_at = now() - interval '1 hour' RETURNING iccid")
    await fleet.sync()
    events = {(event["type"], event["data"]["iccid"]) for event in await fleet.events("sim.quota")}
    assert events == {("sim.quota_low", first), ("sim.quota_low", second), ("sim.quota_exhausted", second)}
    jobs = (await fleet.platform.get("/jobs")).json()["items"]
    assert [job["kind"] for job in jobs if job["kind"] == "refresh_quotas"] == ["refresh_quotas"]
    await fleet.sync()
    assert len(await fleet.events("sim.quota")) == 3


async def test_a_refresh_passes_over_sims_that_the_carrier_does_not_know(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    await fleet.rows(
        "UPDATE sims SET data_quota_state = 'low' WHERE organization_id IS NOT NULL RETURNING iccid"
    )
    del fleet.sandbox.sandbox.world.sims.by_iccid[first]
    await fleet.request(JobKind.REFRESH_QUOTAS)
    assert await fleet.runner().once()
    job = (await fleet.platform.get("/jobs")).json()["items"][0]
    assert (job["state"], job["result"]) == ("succeeded", {"not_found": 1, "refreshed": 1})
    assert (job["done"], job["total"]) == (2, 2)
    assert (await read(fleet, second, QuotaKind.DATA))["state"] == "ok"


async def test_one_sim_that_spoils_its_answer_does_not_stop_the_others(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _forbidden, unreadable, released, _ = await fleet.owned_sims(5)
    fleet.sandbox.sims()[1].organisation = 1
    inject_fault(fleet, "not_json", f"/v?/sims/{unreadable}/quota/*", count=9)
    carrier, asked = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.quota

    async def released_meanwhile(iccid: str, *arguments: Any, **named: Any) -> CarrierQuota:
        if iccid == released:
            await fleet.ours.admin.delete(f"/sims/{iccid}/claim")
        quota: CarrierQuota = await asked(iccid, *arguments, **named)
        return quota

    monkeypatch.setattr(carrier, "quota", released_meanwhile)
    await fleet.request(JobKind.FORECAST_QUOTAS)
    assert await fleet.runner().once()
    job = (await fleet.platform.get("/jobs")).json()["items"][0]
    assert (job["state"], job["done"]) == ("succeeded", 5)
    assert (job["result"]["refreshed"], job["result"]["failed"]) == (2, 3)


async def test_the_quotas_of_a_released_sim_leave_the_list_and_are_asked_for_anew_for_the_next_owner(
    fleet: Fleet,
) -> None:
    iccid, kept = await fleet.owned_sims(2)
    for one in (iccid, kept):
        await read(fleet, one)
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    listed = (await fleet.ours.viewer.get("/sims/quotas")).json()["items"]
    assert [quota["iccid"] for quota in listed] == [kept]
    await fleet.claim(iccid, by=fleet.theirs)
    await fleet.request(JobKind.FORECAST_QUOTAS)
    assert await fleet.runner().once()
    listed = (await fleet.theirs.viewer.get("/sims/quotas")).json()["items"]
    assert [quota["iccid"] for quota in listed] == [iccid]


async def test_an_unclaimed_sim_has_no_quota_to_show(fleet: Fleet) -> None:
    await fleet.sync()
    iccid = fleet.sandbox.sims()[0].iccid
    answer = await fleet.platform.get(f"/sims/{iccid}/quota/data")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SIM_UNCLAIMED")


async def test_a_quota_of_an_unknown_kind_is_refused(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/quota/voice")
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == "kind"

"""SIMs go back to nobody; what they did stays with whoever had them."""

import asyncio

from sqlalchemy import text

from fleet_kit.testing import eventually

from ..support import Fleet


async def test_a_released_sim_is_nobodys_and_can_be_claimed_again(fleet: Fleet) -> None:
    first, _ = await fleet.owned_sims(2)
    patch = {"tags": ["north"], "metadata": {"site": 7}, "status": "disabled"}
    await fleet.ours.operator.patch(f"/sims/{first}", json=patch)
    assert (await fleet.ours.viewer.get(f"/sims/{first}/usage")).status_code == 200
    assert (await fleet.ours.admin.delete(f"/sims/{first}/claim")).status_code == 204
    assert (await fleet.ours.admin.get(f"/sims/{first}")).status_code == 404
    assert (await fleet.ours.admin.delete(f"/sims/{first}/claim")).status_code == 404
    usage = await fleet.rows(
        "SELECT DISTINCT organization_id FROM sim_usage WHERE iccid = :iccid", iccid=first
    )
    assert [row.organization_id for row in usage] == [fleet.ours.id]
    await fleet.reconcile()
    assert fleet.sandbox.sims()[0].enabled, "nobody wants it disabled any more"

    await fleet.claim(first, by=fleet.theirs)
    sim = (await fleet.theirs.viewer.get(f"/sims/{first}")).json()
    assert (sim["tags"], sim["metadata"], sim["desired_status"], sim["lifecycle"]) == (
        [],
        {},
        None,
        "enabled",
    )
    assert (await fleet.theirs.viewer.get(f"/sims/{first}/actions")).json()["items"] == []
    assert (await fleet.theirs.viewer.get("/sims/releases")).json()["items"] == []
    (release,) = (await fleet.ours.viewer.get("/sims/releases")).json()["items"]
    assert (release["iccid"], release["tags"]) == (first, ["north"])
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 1


async def test_a_release_takes_the_sim_out_of_its_device(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    device = await fleet.device(iccid=iccid)
    await fleet.forget_events()
    await fleet.ours.admin.post("/sims/release", json={"iccids": [iccid]})
    (event,) = await fleet.events("sim.updated")
    assert (event["organizationid"], event["data"]["device_id"]) == (str(fleet.ours.id), None)
    await fleet.device_updated(device, 2, iccid=iccid, tags=["x"])
    await fleet.claim(iccid)
    assert (await fleet.ours.viewer.get(f"/sims/{iccid}")).json()["device_id"] is not None, (
        "it still names it"
    )


async def test_a_release_is_all_or_nothing(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    theirs = fleet.sandbox.sims()[5].iccid
    await fleet.claim(theirs, by=fleet.theirs)
    answer = await fleet.ours.admin.post("/sims/release", json={"iccids": [first, theirs]})
    assert (answer.status_code, answer.json()["error"]["details"]) == (404, {"iccids": [theirs]})
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 2
    both = await fleet.ours.admin.post("/sims/release", json={"iccids": [second, first, first]})
    assert both.json() == {"released": [first, second]}


async def test_only_admins_release_and_unclaimed_sims_cannot_be(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    body = {"iccids": [iccid]}
    assert (await fleet.ours.operator.post("/sims/release", json=body)).status_code == 403
    assert (await fleet.ours.operator.delete(f"/sims/{iccid}/claim")).status_code == 403
    free = fleet.sandbox.sims()[5].iccid
    answer = await fleet.platform.delete(f"/sims/{free}/claim")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SIM_UNCLAIMED")
    wrong: tuple[list[str], ...] = ([], ["89882806660000000001"], ["12"])
    for body in (*({"iccids": iccids} for iccids in wrong), {}):
        assert (await fleet.ours.admin.post("/sims/release", json=body)).status_code == 422


async def test_releases_and_claims_at_once_leave_one_owner(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(4)
    device = await fleet.device(iccid=iccids[0])
    for _ in range(3):
        await asyncio.gather(
            fleet.ours.admin.post("/sims/release", json={"iccids": iccids}),
            fleet.ours.operator.put(f"/sims/{iccids[1]}/device", json={"device_id": str(device)}),
            fleet.ask_claim(*iccids, by=fleet.theirs),
            fleet.ask_claim(*iccids, by=fleet.ours),
        )
    rows = await fleet.rows("SELECT organization_id, device_id FROM sims WHERE iccid = ANY(:all)", all=iccids)
    for row in rows:
        assert row.organization_id in {None, fleet.ours.id, fleet.theirs.id}
        assert row.device_id is None or row.organization_id == fleet.ours.id


async def test_of_two_releases_at_once_one_has_all_sims_and_the_other_none(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    bodies = [{"iccids": iccids}, {"iccids": iccids[1:]}]
    async with fleet.sessions.begin() as session:
        await session.execute(
            text("SELECT iccid FROM sims WHERE iccid = ANY(:all) FOR UPDATE"), {"all": iccids}
        )
        tasks = [asyncio.create_task(fleet.ours.admin.post("/sims/release", json=body)) for body in bodies]
        await eventually(lambda: both_wait(fleet))
    answers = sorted([await task for task in tasks], key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 404]
    released, missing = answers[0].json()["released"], answers[1].json()["error"]["details"]["iccids"]
    assert released in (iccids, iccids[1:])
    assert missing == iccids[1:]
    assert len(await fleet.rows("SELECT iccid FROM sim_releases")) == len(released)


async def both_wait(fleet: Fleet) -> bool:
    waiting = await fleet.rows(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return len(waiting) == 2


async def test_releases_are_paged(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(5)
    await fleet.ours.admin.post("/sims/release", json={"iccids": iccids})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"page_size": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await fleet.ours.viewer.get("/sims/releases", params=params)).json()
        seen += [item["iccid"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert sorted(seen) == iccids

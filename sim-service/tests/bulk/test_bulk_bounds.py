"""What bulk actions store is bounded: by the SIMs that an organisation has, and by its limits."""

import pytest

from ..support import Fleet
from .bulk_support import STRANGER, bulk, items, job_of, run

pytestmark = pytest.mark.attack


async def limit(fleet: Fleet, name: str, maximum: int | None) -> None:
    path = f"/jobs/limits/{fleet.ours.id}/{name}"
    answer = await fleet.platform.put(path, json={"maximum": maximum})
    assert answer.status_code == 200, answer.text


async def test_invented_sims_and_those_of_others_become_no_items(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    foreign = fleet.sandbox.sims()[2].iccid
    await fleet.claim(foreign, by=fleet.theirs)
    invented = [f"{8988280666700000000 + number}" for number in range(5000)]
    job = await bulk(fleet, "tag", [foreign, ours[1], *invented, ours[0]], params={"tags": ["a"]})
    assert job["total"] == 2
    unknown = job["params"]["not_found"]
    assert (unknown["count"], unknown["iccids"]) == (5001, [foreign, *invented[:99]])
    await run(fleet)
    assert [item["iccid"] for item in await items(fleet, job)] == [ours[1], ours[0]]
    assert (await job_of(fleet, job))["result"] == {"succeeded": 2}
    body = {"action": "enable", "iccids": [foreign, STRANGER]}
    refused = await fleet.ours.operator.post("/sims/bulk", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "SIM_NOT_FOUND")
    assert len(await fleet.rows("SELECT 1 FROM job_items")) == 2


async def test_an_organisation_keeps_a_bounded_number_of_items(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    await fleet.claim(fleet.sandbox.sims()[3].iccid, by=fleet.theirs)
    await limit(fleet, "job_items", 5)
    await bulk(fleet, "enable", ours)
    body = {"action": "enable", "iccids": ours}
    refused = await fleet.ours.operator.post("/sims/bulk", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "LIMIT_REACHED")
    assert refused.json()["error"]["details"] == {"limit": "job_items", "maximum": 5, "used": 3, "wanted": 3}
    assert len(await fleet.rows("SELECT 1 FROM jobs WHERE kind = 'bulk'")) == 1
    theirs = await fleet.theirs.operator.post("/sims/bulk", json={"action": "enable", "filter": {}})
    assert theirs.status_code == 202
    await bulk(fleet, "enable", ours[:2])
    await limit(fleet, "job_items", None)
    await bulk(fleet, "enable", ours)


async def test_an_organisation_keeps_a_bounded_number_of_jobs_until_they_are_deleted(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(1)
    await limit(fleet, "jobs", 1)
    await bulk(fleet, "tag", ours, params={"tags": ["a"]})
    for path, body in (
        ("/jobs", {"kind": "refresh_quotas"}),
        ("/sims/bulk", {"action": "enable", "iccids": ours}),
    ):
        refused = await fleet.ours.operator.post(path, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "LIMIT_REACHED"), path
    await run(fleet)
    await fleet.rows("UPDATE jobs SET finished_at = now() - interval '1000 days' RETURNING id")
    assert (await fleet.platform.post("/jobs", json={"kind": "cleanup"})).status_code == 202
    await run(fleet)
    counted = (await fleet.platform.get(f"/jobs/limits/{fleet.ours.id}")).json()
    assert {one["name"]: one["used"] for one in counted} == {"jobs": 0, "job_items": 0}
    await bulk(fleet, "tag", ours, params={"tags": ["b"]})


async def test_limits_are_the_platform_administrators(fleet: Fleet) -> None:
    path = f"/jobs/limits/{fleet.ours.id}"
    assert (await fleet.ours.admin.get(path)).status_code == 403
    assert (await fleet.ours.admin.put(f"{path}/jobs", json={"maximum": 10**9})).status_code == 403
    assert (await fleet.platform.put(f"{path}/wishes", json={"maximum": 1})).status_code == 404
    for wrong in ({"maximum": -1}, {"maximum": 10**13}, {}, {"maximum": 1, "least": 0}):
        assert (await fleet.platform.put(f"{path}/jobs", json=wrong)).status_code == 422
    own = (await fleet.platform.put(f"{path}/jobs", json={"maximum": 7})).json()
    assert own[0] == {"name": "jobs", "used": 0, "maximum": 7, "default": 10_000}

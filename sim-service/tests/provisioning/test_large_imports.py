"""Imports with many rows are jobs: the request ends at once, and the report follows."""

import asyncio
from typing import Any

import httpx

from ..support import Fleet
from .test_imports import ours, send, synced


def lines(*iccids: str, others: int) -> str:
    unknown = (f"{8900000000000000000 + number}" for number in range(others))
    return "\n".join(["iccid,tags", *(f"{iccid},a" for iccid in [*iccids, *unknown])])


async def report_of(fleet: Fleet, asked: httpx.Response) -> tuple[dict[str, Any], Any]:
    """The job, run to its end, and the report of its import."""
    assert asked.status_code == 202, asked.text
    job_id = asked.json()["id"]
    assert asked.headers["Location"] == f"/api/v1/jobs/{job_id}"
    runner = fleet.runner()
    async with asyncio.timeout(120):
        while await runner.once():
            pass
    job = (await fleet.ours.viewer.get(f"/jobs/{job_id}")).json()
    assert await fleet.rows("SELECT 1 FROM sim_imports WHERE content IS NOT NULL") == []
    return job, (await fleet.ours.viewer.get(f"/sims/imports/{job_id}")).json()["report"]


async def test_a_file_that_names_one_device_only_takes_linear_time(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    device_id = await fleet.device()
    unknown = [f"{8900000000000000000 + number}" for number in range(20_000)]
    content = "\n".join(["iccid,device_id", *(f"{iccid},{device_id}" for iccid in [*iccids, *unknown])])
    job, report = await report_of(fleet, await send(fleet, content, dry_run=True))
    assert (job["state"], report["rows"], report["good"]) == ("succeeded", 20_003, 1)
    reasons = {problem["reason"] for problem in report["problems"]}
    assert reasons == {"no such SIM", f"the device already has the SIM {iccids[0]}"}


async def test_an_import_with_many_rows_is_a_job(fleet: Fleet) -> None:
    first, second = await synced(fleet, 2)
    small = await send(fleet, lines(first, others=4999), partial=True)
    assert (small.status_code, small.json()["rows"]) == (200, 5000)
    job, report = await report_of(fleet, await send(fleet, lines(first, second, others=4999), partial=True))
    assert (job["kind"], job["state"], job["done"]) == ("import_sims", "succeeded", 5001)
    assert job["result"]["claimed"] == report["claimed"] == 1
    assert (report["good"], report["bad"], report["applied"]) == (2, 4999, True)
    assert await ours(fleet) == [first, second]
    assert (await fleet.theirs.viewer.get(f"/sims/imports/{job['id']}")).status_code == 404


async def test_a_job_refuses_what_a_request_would(fleet: Fleet) -> None:
    (first,) = await synced(fleet, 1)
    job, report = await report_of(fleet, await send(fleet, lines(first, others=5000)))
    assert (job["state"], job["error"].split(":")[0], report["applied"]) == (
        "failed",
        "IMPORT_REFUSED",
        False,
    )
    assert len(report["problems"]) == 1000
    earlier = job["id"]
    job, report = await report_of(fleet, await send(fleet, lines(others=100_001)))
    assert (job["state"], report) == ("failed", None)
    assert "more than 100,000 rows" in job["error"]
    assert (await fleet.ours.viewer.get(f"/sims/imports/{earlier}")).json()["report"] is None, (
        "it is replaced"
    )
    assert await ours(fleet) == []


async def test_an_organisation_has_one_import_that_is_not_over(fleet: Fleet) -> None:
    await synced(fleet, 1)
    first = await send(fleet, lines(others=5001))
    second = await send(fleet, lines(others=5001))
    assert (second.status_code, second.json()["error"]["code"]) == (409, "IMPORT_IN_PROGRESS")
    assert second.json()["error"]["details"] == {"job_id": first.json()["id"]}
    theirs = await send(fleet, lines(others=5001), by=fleet.theirs.admin)
    assert theirs.status_code == 202
    await fleet.ours.operator.post(f"/jobs/{first.json()['id']}/cancel")
    assert (await send(fleet, lines(others=5002))).status_code == 202
    kept = await fleet.rows("SELECT job_id FROM sim_imports WHERE content IS NOT NULL")
    assert len(kept) == 2, "a file of an import that is over is not kept"


async def test_a_worker_that_died_after_the_import_does_not_repeat_it(fleet: Fleet) -> None:
    (first,) = await synced(fleet, 1)
    job, _ = await report_of(fleet, await send(fleet, lines(first, others=5000), partial=True))
    await fleet.rows(
        "UPDATE jobs SET state = 'running', leased_until = now() - interval '1 s' WHERE id = :id"
        " RETURNING id",
        id=job["id"],
    )
    await fleet.forget_events()
    assert await fleet.runner().once()
    again = (await fleet.ours.viewer.get(f"/jobs/{job['id']}")).json()
    assert (again["state"], again["result"]) == ("succeeded", job["result"])
    assert await fleet.events() == []

"""Sync of all SIMs and of one: complete, resumable, writing only what changed."""

import asyncio
from typing import Any, cast

import pytest

from fleet_kit.errors import FleetError
from fleet_kit.testing import eventually
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CarrierOperationUnavailable,
    CarrierRejected,
    CarrierSimNotFound,
    CarrierUnavailable,
)
from sim_service.carrier.models import CarrierSim, Priority, SimPage, SimStatus
from sim_service.inventory.sync.jobs import FullSimSync
from sim_service.usage.quotas.service import QuotaService
from sim_service.work.jobs.handle import JobLease
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.runner import JobRunner

from ..support import Fleet


class Scripted:
    """A carrier of `number` SIMs that can fail, hide and move SIMs."""

    name, page_size, usage_days_kept = "scripted", 10, 180

    def __init__(self, number: int) -> None:
        self.sims = [iccid(index) for index in range(number)]
        self.asked: list[int] = []
        self.singles: list[str] = []
        self.hidden: set[str] = set()
        self.gone: set[str] = set()
        self.refused: set[str] = set()
        self.fail: dict[int, FleetError] = {}
        self.tell_pages = True
        self.hang = asyncio.Event()
        self.hang_at: int | None = None

    async def list_sims(self, page: int, *, priority: Priority) -> SimPage:
        self.asked.append(page)
        if page in self.fail:
            raise self.fail.pop(page)
        if page == self.hang_at:
            await self.hang.wait()
        there = [one for one in self.sims if one not in self.gone]
        rows = there[(page - 1) * 10 : page * 10]
        shown = [CarrierSim(one, SimStatus.ENABLED) for one in rows if one not in self.hidden]
        total, pages = (len(there), -(-len(there) // 10)) if self.tell_pages else (None, None)
        return SimPage(shown, page, total, pages, raw_count=len(rows))

    async def get_sim(self, iccid: str, *, priority: Priority) -> CarrierSim:
        self.singles.append(iccid)
        if iccid in self.gone:
            raise CarrierSimNotFound("no such SIM")
        if iccid in self.refused:
            raise CarrierRejected("the carrier forbids this")
        return CarrierSim(iccid, SimStatus.ENABLED)


def iccid(index: int) -> str:
    return str(8988280666000000000 + index)


def runner_of(fleet: Fleet, carrier: Scripted, parallel: int = 3, lease: float = 3) -> JobRunner:
    sync = FullSimSync(
        cast(Carrier, carrier),
        parallel=parallel,
        owner_of_new=None,
        quotas_outdated=QuotaService.outdated_exist,
    )
    return JobRunner(fleet.sessions, {JobKind.SYNC_SIMS: sync.run}, lease_seconds=lease)


async def job(fleet: Fleet) -> dict[str, Any]:
    newest: dict[str, Any] = (await fleet.platform.get("/jobs")).json()["items"][0]
    return newest


async def job_at(fleet: Fleet, done: int) -> dict[str, Any]:
    seen = await job(fleet)
    assert seen["done"] == done
    return seen


async def asked_up_to(carrier: Scripted, page: int) -> bool:
    return carrier.asked[-1:] == [page]


async def known(fleet: Fleet) -> list[str]:
    return [row.iccid for row in await fleet.rows("SELECT iccid FROM sims ORDER BY iccid")]


async def test_a_sync_takes_every_sim_once(fleet: Fleet) -> None:
    done = await fleet.sync()
    assert (done["state"], done["progress"], done["done"], done["total"]) == ("succeeded", 1.0, 250, 250)
    assert done["result"] == {"created": 250, "updated": 0, "unchanged": 0, "skipped": 0, "pages": 3}
    assert await known(fleet) == [sim.iccid for sim in fleet.sandbox.sims()]
    assert fleet.sandbox.called("/v2/sims") == 3
    assert (await fleet.rows("SELECT count(*) AS n FROM job_pages"))[0].n == 0


async def test_a_second_sync_writes_only_what_changed(fleet: Fleet) -> None:
    await fleet.owned_sims(5)
    before = await fleet.rows("SELECT iccid, xmin::text AS version FROM sims ORDER BY iccid")
    changed = fleet.sandbox.sims()[2]
    changed.label, changed.enabled = "renamed", False
    done = await fleet.sync()
    assert (done["result"]["updated"], done["result"]["unchanged"]) == (1, 249)
    after = await fleet.rows("SELECT iccid, xmin::text AS version FROM sims ORDER BY iccid")
    written = [new.iccid for old, new in zip(before, after, strict=True) if old.version != new.version]
    assert written == [changed.iccid]
    events = await fleet.events("sim.")
    assert [event["type"] for event in events] == ["sim.status_changed", "sim.updated"]
    told = {"iccid": changed.iccid, "status": "disabled", "previous": "enabled", "desired": None}
    assert events[0]["data"] == told
    assert events[1]["data"]["label"] == "renamed"
    sim = (await fleet.ours.viewer.get(f"/sims/{fleet.sandbox.sims()[0].iccid}")).json()
    assert sim["synced_at"] > sim["updated_at"], "an unchanged SIM is vouched for without being written"


async def test_progress_is_readable_while_it_runs_and_counts_are_the_platforms(fleet: Fleet) -> None:
    carrier = Scripted(50)
    carrier.hang_at = 4
    asked = await fleet.ours.operator.post("/sims/sync-all")
    assert asked.headers["Location"] == f"/api/v1/jobs/{asked.json()['id']}"
    again = await fleet.theirs.operator.post("/sims/sync-all")
    assert again.json()["id"] == asked.json()["id"]
    work = asyncio.create_task(runner_of(fleet, carrier, parallel=1).once())
    seen = await eventually(lambda: job_at(fleet, 30))
    assert (seen["state"], seen["progress"], seen["total"]) == ("running", 0.6, 50)
    theirs = (await fleet.theirs.viewer.get(f"/jobs/{seen['id']}")).json()
    assert (theirs["progress"], theirs["done"], theirs["total"], theirs["result"]) == (0.6, None, None, None)
    carrier.hang.set()
    await work
    assert (await job(fleet))["state"] == "succeeded"


async def test_a_stopped_sync_goes_on_where_it_was(fleet: Fleet) -> None:
    carrier = Scripted(95)
    carrier.hang_at = 6
    await fleet.ours.operator.post("/sims/sync-all")
    work = asyncio.create_task(runner_of(fleet, carrier, parallel=1).once())
    await eventually(lambda: asked_up_to(carrier, 6))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (await job(fleet))["state"] == "queued"
    carrier.hang_at = None
    carrier.asked.clear()
    await runner_of(fleet, carrier).once()
    assert sorted(carrier.asked) == [6, 7, 8, 9, 10]
    finished = await job(fleet)
    assert (finished["state"], finished["done"], finished["result"]["created"]) == ("succeeded", 95, 95)
    assert carrier.singles == []


async def test_a_dead_workers_job_is_taken_over_and_the_dead_cannot_write(fleet: Fleet) -> None:
    carrier = Scripted(30)
    carrier.hang_at = 2
    await fleet.ours.operator.post("/sims/sync-all")
    dead = asyncio.create_task(runner_of(fleet, carrier, parallel=1, lease=3).once())
    await eventually(lambda: asked_up_to(carrier, 2))
    await fleet.rows("UPDATE jobs SET leased_until = now() - interval '1 second' RETURNING id")
    living = Scripted(30)
    assert await runner_of(fleet, living).once()
    assert sorted(living.asked) == [2, 3]
    carrier.hang.set()
    assert await dead
    finished = await job(fleet)
    assert (finished["state"], finished["done"]) == ("succeeded", 30)
    assert len(await known(fleet)) == 30


async def test_two_workers_never_hold_the_same_job(fleet: Fleet) -> None:
    await fleet.ours.operator.post("/sims/sync-all")
    carriers = [Scripted(30) for _ in range(4)]
    taken = await asyncio.gather(*(runner_of(fleet, one).once() for one in carriers))
    assert sum(taken) == 1
    assert sum(len(one.asked) for one in carriers) == 3


async def test_a_carrier_that_is_away_delays_the_job_and_loses_nothing(fleet: Fleet) -> None:
    carrier = Scripted(60)
    carrier.fail = {4: CarrierUnavailable("away")}
    await fleet.ours.operator.post("/sims/sync-all")
    await runner_of(fleet, carrier, parallel=1).once()
    waiting = await job(fleet)
    assert (waiting["state"], waiting["done"], waiting["error"]) == (
        "queued",
        30,
        "CARRIER_UNAVAILABLE: away",
    )
    assert not await runner_of(fleet, carrier).once(), "not before its time"
    await fleet.rows("UPDATE jobs SET due_at = now() RETURNING id")
    carrier.asked.clear()
    await runner_of(fleet, carrier).once()
    assert sorted(carrier.asked) == [4, 5, 6]
    finished = await job(fleet)
    assert (finished["state"], finished["error"]) == ("succeeded", None)


async def test_a_hopeless_job_fails_with_its_reason(fleet: Fleet) -> None:
    carrier = Scripted(10)
    carrier.fail = {1: CarrierOperationUnavailable("v1 is over")}
    await fleet.ours.operator.post("/sims/sync-all")
    await runner_of(fleet, carrier).once()
    failed = await job(fleet)
    assert (failed["state"], failed["error"]) == ("failed", "CARRIER_OPERATION_UNAVAILABLE: v1 is over")
    assert (await fleet.ours.operator.post("/sims/sync-all")).json()["id"] != failed["id"]


async def test_an_unexpected_failure_is_tried_again_and_not_shown(fleet: Fleet) -> None:
    async def broken(lease: JobLease) -> None:
        raise KeyError("secret detail")

    await fleet.ours.operator.post("/sims/sync-all")
    await JobRunner(fleet.sessions, {JobKind.SYNC_SIMS: broken}, lease_seconds=3).once()
    waiting = await job(fleet)
    assert (waiting["state"], waiting["error"]) == ("queued", "unexpected: KeyError")


async def test_a_carrier_that_tells_no_totals_is_read_to_its_end(fleet: Fleet) -> None:
    carrier = Scripted(40)
    carrier.tell_pages = False
    await fleet.ours.operator.post("/sims/sync-all")
    await runner_of(fleet, carrier, parallel=1).once()
    assert len(await known(fleet)) == 40
    assert max(carrier.asked) == 5


async def test_a_sim_that_slipped_between_pages_is_not_lost(fleet: Fleet) -> None:
    carrier = Scripted(30)
    await fleet.ours.operator.post("/sims/sync-all")
    await runner_of(fleet, carrier).once()
    carrier.hidden = {iccid(7)}
    carrier.gone = {iccid(20)}
    await fleet.ours.operator.post("/sims/sync-all")
    await runner_of(fleet, carrier).once()
    assert sorted(carrier.singles) == [iccid(7), iccid(20)]
    missing = (await fleet.platform.get("/sims", params={"missing": True})).json()["items"]
    assert [sim["iccid"] for sim in missing] == [iccid(20)]
    carrier.gone.clear()
    await fleet.ours.operator.post("/sims/sync-all")
    await runner_of(fleet, carrier).once()
    assert (await fleet.platform.get("/sims", params={"missing": True})).json()["items"] == []


async def test_one_unlisted_sim_that_the_carrier_refuses_to_tell_of_does_not_stop_the_sync(
    fleet: Fleet,
) -> None:
    carrier = Scripted(30)
    await fleet.ours.operator.post("/sims/sync-all")
    await runner_of(fleet, carrier).once()
    carrier.gone, carrier.hidden, carrier.refused = {iccid(20)}, {iccid(7)}, {iccid(7)}
    await fleet.ours.operator.post("/sims/sync-all")
    await runner_of(fleet, carrier).once()
    done = await job(fleet)
    assert (done["state"], done["result"]["failed"], done["result"]["missing"]) == ("succeeded", 1, 1)
    missing = (await fleet.platform.get("/sims", params={"missing": True})).json()["items"]
    assert [sim["iccid"] for sim in missing] == [iccid(20)]

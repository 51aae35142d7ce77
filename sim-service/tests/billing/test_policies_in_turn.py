"""Policies of one organisation, however many, slow or broken, keep no other waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from fleet_kit.testing import eventually
from sim_service.work.fair_scheduler import FairScheduler, Slot
from sim_service.work.jobs.models import JobKind

from ..support import Fleet, Organization
from .policy_support import leave, policy_of

SIMS = 4


async def both_have_policies(fleet: Fleet, *, ours: int) -> set[str]:
    """Many policies of ours are older than the one of another organisation, whose SIM needs volume too."""
    mine = set(await fleet.owned_sims(SIMS))
    other = fleet.sandbox.sims()[SIMS].iccid
    await fleet.claim(other, by=fleet.theirs)
    leave(fleet, 0.1, *range(SIMS + 1))
    for _ in range(ours):
        await policy_of(fleet, dry_run=True)
    await policy_of(fleet, organization=fleet.theirs)
    return mine


@asynccontextmanager
async def applied(fleet: Fleet) -> AsyncIterator[asyncio.Task[bool]]:
    """The job for everybody's policies, under way."""
    await fleet.request(JobKind.APPLY_POLICIES)
    task = asyncio.create_task(fleet.runner().once())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def bought_for(fleet: Fleet, organization: Organization) -> int:
    rows = await fleet.rows(
        "SELECT count(*) AS n FROM top_ups WHERE organization_id = :id", id=organization.id
    )
    return int(rows[0].n)


async def test_many_policies_that_wait_for_the_carrier_keep_no_other_organisation_waiting(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = await both_have_policies(fleet, ours=5)
    carrier, asked = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.quota
    never = asyncio.Event()

    async def slow(iccid: str, *values: Any, **named: Any) -> Any:
        if iccid in mine:
            await never.wait()
        return await asked(iccid, *values, **named)

    monkeypatch.setattr(carrier, "quota", slow)

    async def theirs_is_bought() -> bool:
        return await bought_for(fleet, fleet.theirs) == 1

    async with applied(fleet) as ours:
        await eventually(theirs_is_bought)
        assert not ours.done()


async def test_an_organisation_whose_policies_break_the_evaluation_is_passed_over(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = await both_have_policies(fleet, ours=2)
    carrier, asked = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.quota

    async def broken(iccid: str, *values: Any, **named: Any) -> Any:
        if iccid in mine:
            raise KeyError(iccid)
        return await asked(iccid, *values, **named)

    monkeypatch.setattr(carrier, "quota", broken)
    async with applied(fleet) as task:
        assert await task
    assert await bought_for(fleet, fleet.theirs) == 1
    (job,) = (await fleet.platform.get("/jobs?kind=apply_policies")).json()["items"]
    assert job["result"] == {"failed": 2, "topped_up": 1}, "those that were left count too"
    assert (job["done"], job["total"]) == (3, 3)
    assert job["state"] == "succeeded", "another round of everybody's is not held up by it"


async def test_what_keeps_everybody_from_being_evaluated_is_tried_again(fleet: Fleet) -> None:
    await both_have_policies(fleet, ours=1)
    fleet.sandbox.broken = 503
    async with applied(fleet) as task:
        assert await task
    (job,) = (await fleet.platform.get("/jobs?kind=apply_policies")).json()["items"]
    assert (job["state"], job["error"].split(":")[0]) == ("queued", "CARRIER_UNAVAILABLE")


async def test_a_step_waits_for_at_most_one_step_of_each_other_organisation() -> None:
    scheduler, order = FairScheduler(1), []
    first, second, third = uuid4(), uuid4(), uuid4()

    async def work(who: Any, steps: int) -> None:
        async with scheduler.of(who) as slot:
            for _ in range(steps):
                order.append(who)
                await slot.give_way()

    async with scheduler.of(uuid4()):
        greedy = [work(first, 5) for _ in range(3)]
        tasks = [asyncio.create_task(one) for one in (*greedy, work(second, 3), work(third, 3))]
        await asyncio.sleep(0)  # all of them wait now
    await asyncio.gather(*tasks)
    assert order[:9] == [first, second, third] * 3
    assert order[9:] == [first] * 12


async def test_a_slot_that_is_given_up_while_it_waits_keeps_nobody_waiting() -> None:
    scheduler, one, other = FairScheduler(1), uuid4(), uuid4()
    inside, leave_it = asyncio.Event(), asyncio.Event()

    async def hold(who: Any) -> Slot:
        async with scheduler.of(who) as slot:
            inside.set()
            await leave_it.wait()
            return slot

    holds = asyncio.create_task(hold(one))
    await inside.wait()
    waits = [asyncio.create_task(hold(who)) for who in (one, other)]
    await asyncio.sleep(0)
    for task in waits:
        task.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    leave_it.set()
    await holds
    for who in (one, other):
        await asyncio.wait_for(hold(who), 5)

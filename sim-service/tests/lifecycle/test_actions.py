"""What is wanted of a SIM is brought about at the carrier, whatever happens on the way."""

import asyncio
from typing import Any

import pytest

from fleet_kit.testing import eventually
from once_sandbox.faults.schemas import FaultRule
from sim_service.carrier.models import SimStatus
from sim_service.lifecycle.actions import repository

from ..support import Fleet
from .actions_support import at_carrier, change, sim, stands, states


def break_calls(fleet: Fleet, **rule: Any) -> None:
    fleet.sandbox.sandbox.faults.add(FaultRule(**({"path": "/v?/*"} | rule)))


def calm(fleet: Fleet) -> None:
    fleet.sandbox.sandbox.faults.rules.clear()


async def test_a_change_becomes_an_action_and_the_action_is_brought_about(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    asked = await change(fleet, iccid, status="disabled", label="Pump 7", imei_lock=True)
    assert (asked["desired_status"], asked["status"], asked["lifecycle"]) == (
        "disabled",
        "enabled",
        "disabling",
    )
    assert {(one["what"], one["state"]) for one in asked["actions"]} == {
        ("status", "pending"),
        ("label", "pending"),
        ("imei_lock", "pending"),
    }
    await fleet.reconcile()
    theirs = at_carrier(fleet, iccid)
    assert (theirs.enabled, theirs.label, theirs.imei_lock) == (False, "Pump 7", True)
    shown = await sim(fleet, iccid)
    assert (shown["status"], shown["lifecycle"], shown["label"]) == ("disabled", "disabled", "Pump 7")
    for one in asked["actions"]:
        action = (await fleet.ours.viewer.get(f"/sims/{iccid}/actions/{one['id']}")).json()
        assert (action["state"], action["attempts"]) == ("confirmed", 1)
        assert action["finished_at"] is not None
    (event,) = await fleet.events("sim.status_changed")
    assert event["data"] == {
        "iccid": iccid,
        "status": "disabled",
        "previous": "enabled",
        "desired": "disabled",
    }
    assert fleet.sandbox.called(iccid) == 2, "one change, one look"


async def test_what_is_so_already_needs_no_carrier(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    same = await change(fleet, iccid, 200, status="enabled", label=at_carrier(fleet, iccid).label)
    assert (same["actions"], same["desired_status"], same["lifecycle"]) == ([], "enabled", "enabled")
    ours = await change(fleet, iccid, 200, tags=["north", "north", "pump"], metadata={"site": {"id": 7}})
    assert (ours["tags"], ours["metadata"]) == (["north", "pump"], {"site": {"id": 7}})
    assert (await change(fleet, iccid, 200))["tags"] == ["north", "pump"]
    assert (await change(fleet, iccid, 200, tags=[], metadata={}))["metadata"] == {}
    await fleet.reconcile()
    assert fleet.sandbox.called(iccid) == 0


async def test_an_equal_wish_joins_and_a_newer_one_supersedes(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    first = await change(fleet, iccid, status="disabled")
    again = await change(fleet, iccid, status="disabled")
    assert [one["id"] for one in first["actions"]] == [one["id"] for one in again["actions"]]
    other = await change(fleet, iccid, status="enabled")
    assert other["lifecycle"] == "enabling"
    await fleet.reconcile()
    assert await states(fleet, iccid) == [
        ("status", "disabled", "superseded"),
        ("status", "enabled", "confirmed"),
    ]
    assert await stands(fleet, iccid) == ("enabled", "enabled", "enabled")
    assert at_carrier(fleet, iccid).enabled


async def test_a_sims_superseded_actions_are_bounded(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "SUPERSEDED_OF_A_SIM", 3)
    one, other = await fleet.owned_sims(2)
    await change(fleet, other, label="0")
    for number in range(8):
        await change(fleet, one, label=str(number))
    kept = [("label", str(number), "superseded") for number in (4, 5, 6)]
    assert await states(fleet, one) == [*kept, ("label", "7", "pending")]
    assert await states(fleet, other) == [("label", "0", "pending")]


async def test_a_change_that_shows_late_is_waited_for(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.sandbox.world.behaviours.update_lag_seconds = 5
    await change(fleet, iccid, status="disabled", label="slow")
    await fleet.reconcile()
    assert set(await states(fleet, iccid)) == {("status", "disabled", "sent"), ("label", "slow", "sent")}
    assert (await stands(fleet, iccid))[2] == "disabling"
    await fleet.reconcile(due=True)
    fleet.sandbox.sandbox.world.clock.move(by=5)
    await fleet.reconcile(due=True)
    assert {state for _, _, state in await states(fleet, iccid)} == {"confirmed"}
    assert await stands(fleet, iccid) == ("disabled", "disabled", "disabled")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["drop", "html_503", "expired_token", "not_json", "empty_200"])
async def test_a_fault_is_tried_past(fleet: Fleet, kind: str, when: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    break_calls(fleet, kind=kind, when=when, count=2)
    await fleet.reconcile()
    for _ in range(5):
        await fleet.reconcile(due=True)
    assert await states(fleet, iccid) == [("status", "disabled", "confirmed")]
    assert not at_carrier(fleet, iccid).enabled


async def test_under_mixed_faults_every_wish_ends_and_agrees_with_the_carrier(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(12)
    for kind in ("drop", "html_503", "truncate", "empty_200", "expired_token"):
        break_calls(fleet, kind=kind, share=0.04)
        break_calls(fleet, kind=kind, share=0.04, when="after")
    wanted = {
        iccid: SimStatus.DISABLED if number % 2 else SimStatus.ENABLED for number, iccid in enumerate(iccids)
    }
    for iccid, status in wanted.items():
        await fleet.ours.operator.patch(f"/sims/{iccid}", json={"status": status, "label": f"x {iccid}"})
    for _ in range(8):
        await fleet.calm_breaker()
        await fleet.reconcile(due=True)
    open_now = await fleet.rows("SELECT * FROM sim_actions WHERE state <> 'confirmed'")
    assert open_now == []
    for iccid, status in wanted.items():
        theirs = at_carrier(fleet, iccid)
        assert (theirs.enabled, theirs.label) == (status == "enabled", f"x {iccid}")
        assert (await stands(fleet, iccid)) == (status, status, status)


async def test_it_gives_up_with_a_reason_and_a_new_wish_starts_anew(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    fleet.sandbox.broken = 503
    for _ in range(3):
        await fleet.reconcile(due=True, action_attempts=3)
    (action,) = (await fleet.ours.viewer.get(f"/sims/{iccid}/actions")).json()["items"]
    assert (action["state"], action["attempts"]) == ("failed", 3)
    assert action["reason"].startswith("given up after 3 attempts: CARRIER_UNAVAILABLE")
    assert await stands(fleet, iccid) == ("disabled", "enabled", "failed")
    fleet.sandbox.broken = None
    await change(fleet, iccid, status="disabled")

    async def done() -> bool:
        await fleet.reconcile(due=True)
        return await stands(fleet, iccid) == ("disabled", "disabled", "disabled")

    await eventually(done)


async def test_what_the_carrier_refuses_fails_at_once_in_its_words(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    at_carrier(fleet, iccid).data.expires_at = 0.0
    await fleet.reconcile()
    (action,) = (await fleet.ours.viewer.get(f"/sims/{iccid}/actions")).json()["items"]
    assert (action["state"], action["attempts"]) == ("failed", 1)
    assert action["reason"] == "SIM_EXPIRED: the SIM has expired: only extending it is allowed"


async def test_what_the_carrier_takes_by_itself_does_not_fail_with_what_it_refuses(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    for skip in (0, 2):
        break_calls(
            fleet, kind="status", status=409, method="PUT", path=f"/v?/sims/{iccid}", skip=skip, count=1
        )
    await change(fleet, iccid, status="disabled", label="Pump 7", imei_lock=True)
    await fleet.reconcile()
    assert set(await states(fleet, iccid)) == {
        ("status", "disabled", "confirmed"),
        ("label", "Pump 7", "confirmed"),
        ("imei_lock", True, "failed"),
    }
    theirs = at_carrier(fleet, iccid)
    assert (theirs.enabled, theirs.label, theirs.imei_lock) == (False, "Pump 7", False)
    assert await stands(fleet, iccid) == ("disabled", "disabled", "disabled")


async def test_two_workers_do_each_change_once(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(10)
    for iccid in iccids:
        await fleet.ours.operator.patch(f"/sims/{iccid}", json={"label": f"pump {iccid}"})
    one, two = fleet.reconciler(), fleet.reconciler()
    while any(await asyncio.gather(*(worker.once() for worker in (one, two, one, two)))):
        pass
    assert fleet.sandbox.called("8988") == 20
    assert await fleet.rows("SELECT 1 FROM sim_actions WHERE state <> 'confirmed' OR attempts <> 1") == []


async def test_a_sim_that_another_worker_has_just_finished_is_left_alone(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, label="Pump 7")
    await fleet.reconcile()
    calls = fleet.sandbox.called(iccid)

    async def found_before_it_was_finished(*_: object, **__: object) -> list[str]:
        return [iccid]

    monkeypatch.setattr(repository.ActionRepository, "due", found_before_it_was_finished)
    assert not await fleet.reconciler().once()
    assert fleet.sandbox.called(iccid) == calls


async def asked_of(fleet: Fleet, iccid: str) -> bool:
    return fleet.sandbox.called(iccid) > 0


async def test_a_worker_that_dies_is_followed_by_another(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    break_calls(fleet, kind="delay", seconds=30, count=1)
    dying = asyncio.create_task(fleet.reconciler().once())
    await eventually(lambda: asked_of(fleet, iccid))  # by then the delay is this worker's
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert not await fleet.reconciler().once(), "its lease still runs"
    await fleet.rows("UPDATE sim_actions SET leased_until = now() - interval '1 s' RETURNING id")
    await fleet.reconcile()
    assert await states(fleet, iccid) == [("status", "disabled", "confirmed")]


async def test_a_newer_wish_waits_for_the_worker_that_is_at_the_older(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    break_calls(fleet, kind="delay", seconds=0.5, count=1)
    older = asyncio.create_task(fleet.reconciler().once())
    await eventually(lambda: fleet.rows("SELECT 1 FROM sim_actions WHERE leased_until > now()"))
    await change(fleet, iccid, status="enabled")
    assert not await fleet.reconciler().once()
    await older
    await fleet.reconcile()
    assert at_carrier(fleet, iccid).enabled
    assert await stands(fleet, iccid) == ("enabled", "enabled", "enabled")


async def test_a_sim_that_cannot_be_worked_on_does_not_end_the_worker(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await fleet.owned_sims(2)
    carrier, get_sim = fleet.app.state.resources.carrier, fleet.app.state.resources.carrier.get_sim

    async def broken(iccid: str, **named: Any) -> Any:
        if iccid == bad:
            raise KeyError("a field that this release does not expect")
        return await get_sim(iccid, **named)

    monkeypatch.setattr(carrier, "get_sim", broken)
    for iccid in (bad, good):
        await change(fleet, iccid, status="disabled")
    running = asyncio.create_task(fleet.reconciler().run())
    confirmed = "SELECT 1 FROM sim_actions WHERE iccid = :iccid AND state = 'confirmed'"
    await eventually(lambda: fleet.rows(confirmed, iccid=good))
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_that_comes_late_leaves_its_successors_lease_alone(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    break_calls(fleet, kind="delay", seconds=0.5, count=1)
    late = asyncio.create_task(fleet.reconciler().once())
    await eventually(lambda: fleet.rows("SELECT 1 FROM sim_actions WHERE leased_until > now()"))
    await fleet.rows("UPDATE sim_actions SET leased_until = now() + interval '1 hour' RETURNING id")
    await late
    assert await fleet.rows("SELECT 1 FROM sim_actions WHERE leased_until > now()")

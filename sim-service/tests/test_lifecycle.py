"""What is wanted of a SIM is brought about at the carrier, whatever happens on the way."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from fleet_kit.testing import eventually
from once_sandbox.faults.schemas import FaultRule
from sim_service.carrier.facts import SimStatus

from .support import Fleet


async def change(fleet: Fleet, iccid: str, expected: int = 202, /, **fields: Any) -> dict[str, Any]:
    answer = await fleet.ours.operator.patch(f"/sims/{iccid}", json=fields)
    assert answer.status_code == expected, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def sim(fleet: Fleet, iccid: str) -> dict[str, Any]:
    body: dict[str, Any] = (await fleet.ours.viewer.get(f"/sims/{iccid}")).json()
    return body


async def states(fleet: Fleet, iccid: str) -> list[tuple[str, Any, str]]:
    """What, wanted and state of the SIM's actions, oldest first."""
    items = (await fleet.ours.viewer.get(f"/sims/{iccid}/actions")).json()["items"]
    return [(item["what"], item["wanted"], item["state"]) for item in reversed(items)]


async def stands(fleet: Fleet, iccid: str) -> tuple[str | None, str, str]:
    shown = await sim(fleet, iccid)
    return shown["desired_status"], shown["status"], shown["lifecycle"]


def at_carrier(fleet: Fleet, iccid: str) -> Any:
    return fleet.sandbox.sandbox.world.sims.get(iccid)


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


async def test_a_worker_that_dies_is_followed_by_another(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    break_calls(fleet, kind="delay", seconds=30, count=1)
    dying = asyncio.create_task(fleet.reconciler().once())
    await eventually(lambda: fleet.rows("SELECT 1 FROM sim_actions WHERE leased_until > now()"))
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


async def drifted(fleet: Fleet, iccid: str) -> None:
    """Somebody disables the SIM in the carrier's portal, after it was wanted enabled."""
    await change(fleet, iccid, 200, status="enabled")
    at_carrier(fleet, iccid).enabled = False
    await fleet.forget_events()
    await fleet.sync()


async def test_drift_is_told_of_and_left_to_people(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await drifted(fleet, iccid)
    assert await stands(fleet, iccid) == ("enabled", "disabled", "drifted")
    (event,) = await fleet.events("sim.status_changed")
    assert (event["data"]["status"], event["data"]["desired"]) == ("disabled", "enabled")
    await fleet.reconcile()
    await fleet.reconcile()
    assert await states(fleet, iccid) == [("drift", "disabled", "confirmed")]
    assert await stands(fleet, iccid) == ("enabled", "disabled", "drifted")
    at_carrier(fleet, iccid).enabled = True
    await fleet.sync()
    assert await stands(fleet, iccid) == ("enabled", "enabled", "enabled")


async def test_drift_is_set_back_or_adopted_where_the_setting_says_so(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    await drifted(fleet, first)
    await fleet.reconcile(drift_policy="correct")
    assert at_carrier(fleet, first).enabled
    assert await stands(fleet, first) == ("enabled", "enabled", "enabled")
    assert await states(fleet, first) == [
        ("drift", "disabled", "confirmed"),
        ("status", "enabled", "confirmed"),
    ]
    await drifted(fleet, second)
    await fleet.reconcile(drift_policy="adopt")
    assert await stands(fleet, second) == ("disabled", "disabled", "disabled")
    assert not at_carrier(fleet, second).enabled


async def test_drift_that_only_an_old_list_showed_is_not_believed(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await drifted(fleet, iccid)
    at_carrier(fleet, iccid).enabled = True
    await fleet.reconcile(drift_policy="correct")
    assert await states(fleet, iccid) == []
    assert await stands(fleet, iccid) == ("enabled", "enabled", "enabled")


async def test_drift_is_judged_once_the_carrier_is_back(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await drifted(fleet, iccid)
    fleet.sandbox.broken = 503
    await fleet.reconcile()
    assert await states(fleet, iccid) == []
    fleet.sandbox.broken = None
    await fleet.calm_breaker()
    await fleet.reconcile(due=True)
    assert await states(fleet, iccid) == [("drift", "disabled", "confirmed")]


async def test_a_reconcile_job_tries_everything_now(fleet: Fleet) -> None:
    from sim_service.jobs.models import JobKind

    (iccid,) = await fleet.owned_sims(1)
    await change(fleet, iccid, status="disabled")
    await fleet.rows("UPDATE sim_actions SET due_at = now() + interval '1 hour' RETURNING id")
    await fleet.reconcile()
    assert await states(fleet, iccid) == [("status", "disabled", "pending")]
    await fleet.request(JobKind.RECONCILE)
    await fleet.runner().once()
    assert await states(fleet, iccid) == [("status", "disabled", "confirmed")]


async def test_history_is_paged_and_only_for_its_owner(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    for number in range(5):
        await change(fleet, iccid, label=f"label {number}")
    viewer, path = fleet.ours.viewer, f"/sims/{iccid}/actions"
    first = (await viewer.get(path, params={"page_size": 2})).json()
    rest = (await viewer.get(path, params={"page_size": 3, "cursor": first["next_cursor"]})).json()
    assert [one["wanted"] for one in first["items"] + rest["items"]] == [
        f"label {n}" for n in (4, 3, 2, 1, 0)
    ]
    assert (first["total"], rest["total"], rest["next_cursor"]) == (5, None, None)
    assert (await viewer.get(path, params={"cursor": "WzFd"})).status_code == 422
    action = first["items"][0]["id"]
    for theirs in (path, f"{path}/{action}"):
        assert (await fleet.theirs.admin.get(theirs)).json()["error"]["code"] == "SIM_NOT_FOUND"
    unknown = await viewer.get(f"/sims/{iccid}/actions/{uuid4()}")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "ACTION_NOT_FOUND")


async def test_who_may_change_what(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    free = fleet.sandbox.sims()[9].iccid
    body = {"status": "disabled"}
    assert (await fleet.ours.viewer.patch(f"/sims/{iccid}", json=body)).status_code == 403
    assert (await fleet.theirs.admin.patch(f"/sims/{iccid}", json=body)).status_code == 404
    assert (await fleet.ours.admin.patch(f"/sims/{free}", json=body)).status_code == 404
    unclaimed = await fleet.platform.patch(f"/sims/{free}", json=body)
    assert (unclaimed.status_code, unclaimed.json()["error"]["code"]) == (409, "SIM_UNCLAIMED")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "asleep"}, "status"),
        ({"status": "unknown"}, "status"),
        ({"status": None}, "status"),
        ({"label": "x" * 256}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"label": None}, "label"),
        ({"imei_lock": "perhaps"}, "imei_lock"),
        ({"tags": "north"}, "tags"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": ["x" * 65]}, "tags.0"),
        ({"tags": [str(number) for number in range(51)]}, "tags"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"x": "y" * 8192}}, "metadata"),
        ({"metadata": {"x": {}} | {"n": 10**30}}, "metadata"),
        ({"metadata": {"a\u0000": 1}}, "metadata"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_an_impossible_change_is_refused_naming_the_field(
    fleet: Fleet, body: dict[str, Any], field: str
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answer = await fleet.ours.operator.patch(f"/sims/{iccid}", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == field
    assert await states(fleet, iccid) == []


async def test_changes_at_once_lose_nothing(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answers = await asyncio.gather(
        *(fleet.ours.operator.patch(f"/sims/{iccid}", json={"label": f"l{n}"}) for n in range(6)),
        *(fleet.ours.operator.patch(f"/sims/{iccid}", json={"tags": [f"t{n}"]}) for n in range(3)),
    )
    assert {answer.status_code for answer in answers} == {200, 202}
    found = await states(fleet, iccid)
    assert sorted(state for _, _, state in found) == ["pending"] + ["superseded"] * 5
    await fleet.reconcile()
    wanted = next(label for _, label, state in await states(fleet, iccid) if state == "confirmed")
    assert at_carrier(fleet, iccid).label == wanted

"""What concerns the whole account: limits, the carrier's own top-ups, SIMs that leave."""

from typing import Any

import httpx
import pytest

from once_sandbox.volume_limits.models import VolumeLimits

from ..support import Fleet

UNKNOWN = "8988280666999999999"
CALLS: dict[str, tuple[str, str, Any]] = {
    "read limits": ("GET", "/sims/limits", None),
    "set limits": ("PUT", "/sims/limits", {"data": 4}),
    "choices": ("GET", "/sims/limits/data", None),
    "auto top-up": ("PUT", "/sims/auto-topup", {"iccids": [UNKNOWN], "enabled": True}),
    "transfer": ("POST", "/sims/transfer", {"iccids": [UNKNOWN], "target": 7}),
}


def refused(answer: httpx.Response) -> tuple[int, str, Any]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["details"].get("iccids")


async def test_limits_are_chosen_among_what_the_carrier_offers(fleet: Fleet) -> None:
    assert (await fleet.platform.get("/sims/limits")).json() == dict.fromkeys(("data", "sms_mo", "sms_mt"))
    choices = (await fleet.platform.get("/sims/limits/sms_mo")).json()["items"]
    wanted = {"data": 4, "sms_mo": choices[1]["id"]}
    answer = await fleet.platform.put("/sims/limits", json=wanted)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "data": {"id": 4, "value": "16", "unit": "MB"},
        "sms_mo": choices[1],
        "sms_mt": None,
    }
    assert fleet.sandbox.sandbox.world.volume_limits == VolumeLimits(**wanted)


async def test_a_limit_that_is_no_choice_is_refused(fleet: Fleet) -> None:
    assert refused(await fleet.platform.put("/sims/limits", json={"data": 99}))[:2] == (
        409,
        "CARRIER_REJECTED",
    )
    assert refused(await fleet.platform.put("/sims/limits", json={}))[:2] == (422, "VALIDATION_FAILED")
    assert fleet.sandbox.sandbox.world.volume_limits == VolumeLimits()


async def test_the_carriers_own_top_ups_are_switched(fleet: Fleet) -> None:
    await fleet.sync()
    body = {"iccids": [fleet.sandbox.sims()[0].iccid]}
    for enabled in (True, False):
        answer = await fleet.platform.put("/sims/auto-topup", json=body | {"enabled": enabled})
        assert answer.status_code == 204
        assert fleet.sandbox.sims()[0].auto_topup is enabled


async def test_the_carrier_tops_up_no_sim_of_an_organisation_by_itself(fleet: Fleet) -> None:
    """It would spend beside the budget; what is on from before the claim can still be switched off."""
    await fleet.sync()
    claimed, free = (sim.iccid for sim in fleet.sandbox.sims()[:2])
    on, off = ({"iccids": [claimed], "enabled": enabled} for enabled in (True, False))
    assert (await fleet.platform.put("/sims/auto-topup", json=on)).status_code == 204
    await fleet.claim(claimed)
    assert (await fleet.platform.put("/sims/auto-topup", json=off)).status_code == 204
    refusal = await fleet.platform.put("/sims/auto-topup", json=on | {"iccids": [free, claimed]})
    assert refused(refusal) == (409, "SIM_CLAIMED", [claimed])
    assert [sim.auto_topup for sim in fleet.sandbox.sims()[:2]] == [False, False]


async def test_only_sims_of_nobody_leave_the_account(fleet: Fleet) -> None:
    (owned,) = await fleet.owned_sims(1)
    free = fleet.sandbox.sims()[1].iccid
    body = {"iccids": [free, owned], "target": 27_000}
    answer = await fleet.platform.post("/sims/transfer", json=body)
    assert refused(answer) == (409, "SIM_CLAIMED", [owned])
    assert fleet.sandbox.called("simTransfer") == 0
    answer = await fleet.platform.post("/sims/transfer", json=body | {"iccids": [free]})
    assert (answer.status_code, answer.json()["iccids"]) == (202, [free])
    fleet.sandbox.sandbox.world.clock.move(by=10)
    await fleet.sync()
    assert (await fleet.platform.get(f"/sims/{free}")).json()["missing_since"]


@pytest.mark.parametrize("name", ["auto top-up", "transfer"])
async def test_sims_that_do_not_exist_are_named(fleet: Fleet, name: str) -> None:
    method, path, body = CALLS[name]
    assert refused(await fleet.platform.request(method, path, json=body)) == (404, "SIM_NOT_FOUND", [UNKNOWN])


@pytest.mark.parametrize("name", CALLS)
async def test_the_account_is_the_platform_administrators_alone(fleet: Fleet, name: str) -> None:
    method, path, body = CALLS[name]
    assert (await fleet.ours.admin.request(method, path, json=body)).status_code == 403
    assert (await fleet.anyone.request(method, path, json=body)).status_code == 401

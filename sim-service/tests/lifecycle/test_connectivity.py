"""Connectivity: asked for when old, served with its age while the carrier is away, reset, doubted."""

from datetime import timedelta
from typing import Any

import pytest

from fleet_kit.testing import eventually
from once_sandbox.connectivity import sessions as network
from once_sandbox.sims.models import Sim as SandboxSim
from once_sandbox.world import World

from ..support import Fleet


async def read(fleet: Fleet, iccid: str) -> dict[str, Any]:
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/connectivity")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def at_carrier(fleet: Fleet) -> tuple[World, SandboxSim]:
    return fleet.sandbox.sandbox.world, fleet.sandbox.sims()[0]


def always_ask(fleet: Fleet) -> None:
    fleet.app.state.settings = fleet.settings.model_copy(update={"connectivity_fresh_seconds": 0})


@pytest.mark.parametrize("profile", ["spec", "recorded"])
async def test_a_session_is_shown_with_operator_country_and_age(fleet: Fleet, profile: str) -> None:
    fleet.sandbox.reset(profile)
    (iccid,) = await fleet.owned_sims(1)
    world, sim = at_carrier(fleet)
    network.detach(world, sim)
    network.attach(world, sim, operator=5, rat=2)
    network.open_session(world, sim)
    shown = await read(fleet, iccid)
    assert (shown["state"], shown["operator"], shown["country"]) == ("online", "Swisscom", "CH")
    assert (shown["session"]["rat"], shown["session"]["ip_address"]) == ("4G", sim.ip_address)
    assert (shown["stale"], shown["attached_stale"], shown["limit_reached"]) == (False, False, False)
    assert 0 <= shown["age_seconds"] < 30


async def test_it_is_asked_for_once_while_fresh(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    for _ in range(3):
        await read(fleet, iccid)
    assert fleet.sandbox.called("/status") == 1


async def test_while_the_carrier_is_away_the_known_state_is_shown_with_its_age(fleet: Fleet) -> None:
    always_ask(fleet)
    known, unknown = await fleet.owned_sims(2)
    before = await read(fleet, known)
    fleet.sandbox.broken = 503
    shown = await read(fleet, known)
    assert (shown["state"], shown["as_of"]) == (before["state"], before["as_of"])
    assert (shown["stale"], shown["stale_reason"]) == (True, "CARRIER_UNAVAILABLE")
    answer = await fleet.ours.viewer.get(f"/sims/{unknown}/connectivity")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "CARRIER_UNAVAILABLE")


async def test_attached_for_long_without_a_sign_is_doubted(fleet: Fleet) -> None:
    always_ask(fleet)
    (iccid,) = await fleet.owned_sims(1)
    world, sim = at_carrier(fleet)
    network.attach(world, sim)
    network.vanish(world, sim)
    fresh = await read(fleet, iccid)
    assert (fresh["state"], fresh["attached_stale"]) == ("attached", False)
    network.open_session(world, sim)
    with world.clock.at(world.clock.now() - timedelta(hours=20).total_seconds()):
        network.attach(world, sim)
        network.vanish(world, sim)
    old = await read(fleet, iccid)
    assert (old["state"], old["attached_stale"]) == ("attached", True)


async def test_a_reset_is_taken_on_and_the_next_read_asks_again(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    world, sim = at_carrier(fleet)
    network.open_session(world, sim)
    before = await read(fleet, iccid)
    answer = await fleet.ours.operator.post(f"/sims/{iccid}/connectivity/reset")
    assert (answer.status_code, answer.json()["iccid"]) == (202, iccid)
    world.clock.move(by=10)
    after = await read(fleet, iccid)
    assert after["session"]["opened_at"] > before["session"]["opened_at"]
    assert after["reset_requested_at"] == answer.json()["reset_requested_at"]


async def test_a_reset_before_anything_is_known_invents_no_state(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/connectivity/reset")).status_code == 202
    fleet.sandbox.broken = 503
    assert (await fleet.ours.viewer.get(f"/sims/{iccid}/connectivity")).status_code == 503


async def test_a_reset_that_the_carrier_refuses_is_told(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    world, sim = at_carrier(fleet)
    sim.data.expires_at = world.clock.now() - 1
    answer = await fleet.ours.operator.post(f"/sims/{iccid}/connectivity/reset")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SIM_EXPIRED")
    fleet.sandbox.broken = 503
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/connectivity/reset")).status_code == 503


async def test_the_cell_is_told_and_kept_and_goes_with_v1(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    world, sim = at_carrier(fleet)
    network.attach(world, sim, operator=0, rat=1)
    path = f"/sims/{iccid}/connectivity/cell"
    cell = (await fleet.ours.viewer.get(path)).json()
    assert (cell["reachable"], cell["mcc"], cell["lac"], cell["stale"]) == (True, "262", "10000", False)
    world.behaviours.v1_enabled = False
    kept = (await fleet.ours.viewer.get(path)).json()
    assert (kept["cell_id"], kept["stale_reason"]) == (cell["cell_id"], "CARRIER_OPERATION_UNAVAILABLE")
    assert (await read(fleet, iccid))["state"] in {"attached", "online"}


async def test_without_v1_a_cell_never_known_is_unavailable(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/connectivity/cell")
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "CARRIER_OPERATION_UNAVAILABLE")


async def test_a_new_owner_knows_nothing_of_the_last_ones(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    world, sim = at_carrier(fleet)
    network.attach(world, sim, rat=0)
    await read(fleet, iccid)
    await fleet.ours.viewer.get(f"/sims/{iccid}/connectivity/cell")
    await fleet.rows("UPDATE sims SET organization_id = :owner RETURNING iccid", owner=fleet.theirs.id)
    fleet.sandbox.broken = 503
    for path in ("connectivity", "connectivity/cell"):
        assert (await fleet.theirs.viewer.get(f"/sims/{iccid}/{path}")).status_code == 503
    fleet.sandbox.broken = None

    async def back() -> bool:
        return (await fleet.theirs.viewer.get(f"/sims/{iccid}/connectivity")).is_success

    await eventually(back)
    shown = (await fleet.theirs.viewer.get(f"/sims/{iccid}/connectivity")).json()
    assert (shown["stale"], shown["reset_requested_at"]) == (False, None)


async def test_existence_comes_before_roles(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    for path in ("connectivity", "connectivity/cell"):
        assert (await fleet.theirs.viewer.get(f"/sims/{iccid}/{path}")).status_code == 404
    reset = f"/sims/{iccid}/connectivity/reset"
    assert (await fleet.theirs.viewer.post(reset)).status_code == 404
    assert (await fleet.ours.viewer.post(reset)).status_code == 403
    assert "connectivity.reset" not in [due.kind for due in fleet.sandbox.sandbox.world.schedule.waiting]


async def test_an_unclaimed_sim_has_to_be_claimed_first(fleet: Fleet) -> None:
    await fleet.sync()
    iccid = fleet.sandbox.sims()[0].iccid
    answer = await fleet.platform.get(f"/sims/{iccid}/connectivity")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SIM_UNCLAIMED")

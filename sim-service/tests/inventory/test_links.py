"""Which SIM is in which device."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from fleet_contracts.events import OrganizationCreated, OrganizationData

from ..support import Fleet


async def link(fleet: Fleet, iccid: str, device: UUID) -> Any:
    return await fleet.ours.operator.put(f"/sims/{iccid}/device", json={"device_id": str(device)})


async def linked(fleet: Fleet, iccid: str) -> str | None:
    device: str | None = (await fleet.ours.viewer.get(f"/sims/{iccid}")).json()["device_id"]
    return device


async def test_a_sim_is_put_into_a_device_and_taken_out(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    device = await fleet.device()
    answer = await link(fleet, iccid, device)
    assert (answer.status_code, answer.json()["device_id"]) == (200, str(device))
    await link(fleet, iccid, device)
    shown = (await fleet.ours.viewer.get("/sims", params={"device_id": str(device)})).json()
    assert [sim["iccid"] for sim in shown["items"]] == [iccid]
    for _ in range(2):
        assert (await fleet.ours.operator.delete(f"/sims/{iccid}/device")).status_code == 204
    events = await fleet.events("sim.updated")
    assert [event["data"]["device_id"] for event in events] == [str(device), None]


async def test_unknown_deleted_and_strange_devices_are_not_found(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    deleted, strange = await fleet.device(), await fleet.device(fleet.theirs)
    await fleet.device_deleted(deleted)
    for device in (uuid4(), deleted, strange):
        answer = await link(fleet, iccid, device)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "DEVICE_NOT_FOUND")


async def test_a_device_holds_one_sim_and_a_sim_moves(fleet: Fleet) -> None:
    first, second, _ = await fleet.owned_sims(3)
    one, two = await fleet.device(), await fleet.device()
    await link(fleet, first, one)
    refused = await link(fleet, second, one)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "DEVICE_HAS_SIM")
    assert refused.json()["error"]["details"] == {"iccid": first}
    assert (await link(fleet, first, two)).json()["device_id"] == str(two)
    assert (await link(fleet, second, one)).status_code == 200


async def test_two_sims_at_once_never_share_a_device(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(6)
    device = await fleet.device()
    answers = await asyncio.gather(*(link(fleet, iccid, device) for iccid in iccids))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]


async def test_one_sim_into_two_devices_at_once_ends_in_one(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    devices = [await fleet.device() for _ in range(4)]
    answers = await asyncio.gather(*(link(fleet, iccid, device) for device in devices))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert await linked(fleet, iccid) in {str(device) for device in devices}


async def test_an_unclaimed_sim_cannot_be_linked(fleet: Fleet) -> None:
    await fleet.sync()
    iccid, device = fleet.sandbox.sims()[0].iccid, await fleet.device()
    answer = await fleet.platform.put(f"/sims/{iccid}/device", json={"device_id": str(device)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SIM_UNCLAIMED")


@pytest.mark.parametrize("body", [{}, {"device_id": "7"}, {"device_id": None}, {"device": str(uuid4())}])
async def test_a_malformed_link_is_refused(fleet: Fleet, body: dict[str, Any]) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answer = await fleet.ours.operator.put(f"/sims/{iccid}/device", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"].startswith("device")


async def test_a_device_that_names_a_free_sim_gets_it(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    device = await fleet.device(iccid=first)
    assert await linked(fleet, first) == str(device)
    await fleet.device_updated(device, 2, iccid=second)
    assert (await linked(fleet, first), await linked(fleet, second)) == (None, str(device))
    await fleet.device_updated(device, 3, iccid=None)
    assert await linked(fleet, second) is None


async def test_a_device_that_names_a_taken_sim_is_corrected(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    owner = await fleet.device(iccid=iccid)
    await fleet.forget_events()
    await fleet.device(iccid=iccid)
    assert await linked(fleet, iccid) == str(owner)
    assert [event["data"]["device_id"] for event in await fleet.events("sim.updated")] == [str(owner)]


async def test_a_device_gets_no_sim_of_another_organisation(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.device(fleet.theirs, iccid=iccid)
    assert await linked(fleet, iccid) is None


async def test_a_claim_links_the_device_that_already_named_the_sim(fleet: Fleet) -> None:
    await fleet.sync()
    iccid = fleet.sandbox.sims()[0].iccid
    stranger = await fleet.device(fleet.theirs, iccid=iccid)
    device = await fleet.device(iccid=iccid)
    await fleet.claim(iccid)
    assert await linked(fleet, iccid) == str(device) != str(stranger)
    assert [event["data"]["device_id"] for event in await fleet.events("sim.updated")] == [str(device)]


async def test_repeated_and_late_events_change_nothing(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    device = await fleet.device(iccid=first)
    await fleet.device_updated(device, 5, iccid=second)
    for version, iccid in ((5, second), (3, first), (1, None)):
        await fleet.device_updated(device, version, iccid=iccid)
    await fleet.device(id=device, iccid=first)
    assert (await linked(fleet, first), await linked(fleet, second)) == (None, str(device))
    await fleet.device_deleted(device)
    await fleet.device_deleted(device)
    await fleet.device_updated(device, 11, iccid=second)
    assert await linked(fleet, second) is None


async def test_an_unlinked_sim_stays_out_when_the_device_changes_otherwise(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    device = await fleet.device()
    await link(fleet, iccid, device)
    await fleet.device_updated(device, 2, iccid=iccid, tags=["north"])
    await fleet.ours.operator.delete(f"/sims/{iccid}/device")
    await fleet.device_updated(device, 3, tags=["south"])
    assert await linked(fleet, iccid) is None
    await fleet.device_updated(device, 4, iccid=iccid)
    assert await linked(fleet, iccid) == str(device), "named again on purpose"


async def test_a_device_deleted_before_it_was_heard_of_stays_deleted(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    device = uuid4()
    await fleet.device_deleted(device)
    await fleet.device(id=device, iccid=iccid)
    assert await linked(fleet, iccid) is None


async def test_events_of_other_kinds_are_ignored(fleet: Fleet) -> None:
    data = OrganizationData(id=uuid4(), name="x")
    await fleet.device_events.handle(
        OrganizationCreated(source="s", subject="x", organizationid=data.id, data=data)
    )

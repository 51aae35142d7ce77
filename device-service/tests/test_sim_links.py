"""The SIM of a device, as sim-service tells of it."""

from typing import Any
from uuid import UUID

from fastapi import FastAPI

from fleet_contracts.events import SimData, SimUpdated

from .conftest import Handle, Organization
from .support import make_iccid, outbox_types, path_of


def linked(organization: Organization, iccid: str, device: dict[str, Any] | None) -> SimUpdated:
    device_id = UUID(device["id"]) if device else None
    data = SimData(iccid=iccid, status="Enabled", device_id=device_id)
    return SimUpdated(source="test", subject=iccid, organizationid=organization.id, data=data)


async def test_device_follows_the_links_of_its_sim(
    app: FastAPI, organization: Organization, handle: Handle
) -> None:
    first, second, iccid = await organization.make_device(), await organization.make_device(), make_iccid()

    async def iccids() -> list[str | None]:
        return [(await organization.viewer.get(path_of(made))).json()["iccid"] for made in (first, second)]

    assert await iccids() == [None, None]
    for _ in range(2):
        await handle(linked(organization, iccid, first))
        assert await iccids() == [iccid, None]
    await handle(linked(organization, iccid, second))
    assert await iccids() == [None, iccid]
    await handle(linked(organization, iccid, first), linked(organization, iccid, None))
    assert await iccids() == [None, None]
    assert await outbox_types(app, first["id"]) == ["device.registered"]


async def test_link_of_another_organisations_sim_changes_nothing(
    organization: Organization, stranger: Organization, handle: Handle
) -> None:
    iccid = make_iccid()
    made = await organization.make_device(iccid=iccid)
    await handle(linked(stranger, iccid, None), linked(stranger, make_iccid(), made))
    assert (await organization.viewer.get(path_of(made))).json()["iccid"] == iccid

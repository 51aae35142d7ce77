"""The carrier's bytes beside what devices report of themselves."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from fleet_contracts.events import DeviceVolume, TelemetryVolume, VolumeData
from sim_service.usage.device_usage.consumers import DeviceVolumeEvents

from ..support import Fleet
from .test_usage import book, day

HOUR = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=1)


async def reported(
    fleet: Fleet, device: UUID, *hours: tuple[datetime, int], owner: UUID | None = None
) -> None:
    volumes = [DeviceVolume(id=device, hour=hour, data_bytes=volume) for hour, volume in hours]
    event = TelemetryVolume(
        source="monitoring-service",
        subject="x",
        organizationid=owner or fleet.ours.id,
        data=VolumeData(volumes=volumes),
    )
    await DeviceVolumeEvents(fleet.sessions).handle(event)


async def test_both_sides_of_each_day_stand_beside_each_other(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    device = await fleet.device(iccid=iccid)
    book(fleet, iccid, 1, sent=5000, received=300)
    await reported(fleet, device, (HOUR, 3000), (HOUR + timedelta(hours=14), 1000))
    params = {"from": day(2).isoformat(), "to": day(1).isoformat()}
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/usage/comparison", params=params)
    assert answer.status_code == 200, answer.text
    before, compared = answer.json()["items"]
    assert (before["device_bytes"], before["difference_bytes"]) == (None, None)
    assert compared["device_bytes"] == 4000
    assert compared["carrier_bytes"] >= 5300
    assert compared["difference_bytes"] == compared["carrier_bytes"] - 4000
    assert answer.json()["total"]["device_bytes"] == 4000
    assert answer.json()["stale"] is False


async def test_an_hour_told_of_again_replaces_and_never_adds(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    device = await fleet.device(iccid=iccid)
    for volume in (100, 250, 250, 180):
        await reported(fleet, device, (HOUR, volume), (HOUR, volume - 50))
    assert await fleet.rows("SELECT iccid, data_bytes FROM device_usage") == [(iccid, 250)]


async def test_a_device_without_a_sim_and_one_of_another_owner_touch_no_comparison(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    device = await fleet.device(iccid=iccid)
    await reported(fleet, uuid4(), (HOUR, 70))
    await reported(fleet, device, (HOUR, 90), owner=fleet.theirs.id)
    compared = (await fleet.ours.viewer.get(f"/sims/{iccid}/usage/comparison")).json()
    assert {item["device_bytes"] for item in compared["items"]} == {None}
    assert compared["total"] == {"carrier_bytes": None, "device_bytes": None, "difference_bytes": None}
    theirs = await fleet.theirs.viewer.get(f"/sims/{iccid}/usage/comparison")
    assert theirs.status_code == 404

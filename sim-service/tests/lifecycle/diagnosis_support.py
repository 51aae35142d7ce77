"""A SIM with a device for the tests of the diagnosis."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fleet_contracts.events import DeviceStatusChanged, DeviceStatusData
from once_sandbox.sims.models import Sim as SandboxSim
from once_sandbox.usage.booking import Traffic, book_data
from once_sandbox.world import World

from ..support import Fleet

MB = 1024 * 1024


class Patient:
    """A SIM that is online in a device that reports, until something is done to it."""

    def __init__(self, fleet: Fleet, iccid: str, device_id: UUID) -> None:
        self.fleet, self.iccid, self.device_id = fleet, iccid, device_id

    @property
    def world(self) -> World:
        return self.fleet.sandbox.sandbox.world

    @property
    def sim(self) -> SandboxSim:
        return self.world.sims.by_iccid[self.iccid]

    def send(self, megabytes: float = 0.1, imei: str | None = None) -> str | None:
        """The device sends; the cause if the network refuses."""
        return book_data(self.world, self.sim, Traffic(int(megabytes * MB), 0, imei))

    async def heard(self, status: str, ago: timedelta = timedelta()) -> None:
        """The device came online or fell silent."""
        seen = datetime.now(UTC) - ago
        data = DeviceStatusData.model_validate({"id": self.device_id, "status": status, "last_seen": seen})
        await self.fleet.device_events.handle(
            DeviceStatusChanged(
                source="device-service",
                subject=str(self.device_id),
                organizationid=self.fleet.ours.id,
                data=data,
            )
        )

    async def diagnosis(self) -> dict[str, Any]:
        answer = await self.fleet.ours.viewer.get(f"/sims/{self.iccid}/diagnosis")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def found(self, code: str) -> dict[str, Any]:
        """The cause of that code, which has to be among those found."""
        body = await self.diagnosis()
        causes = {cause["code"]: cause for cause in body["causes"]}
        assert code in causes, body
        assert causes[code]["explanation"]
        assert causes[code]["advice"]
        cause: dict[str, Any] = causes[code]
        return cause | {"verdict": body["verdict"], "first": body["causes"][0]["code"], "body": body}


async def link(fleet: Fleet, iccid: str, device_id: UUID) -> None:
    body = {"device_id": str(device_id)}
    assert (await fleet.ours.operator.put(f"/sims/{iccid}/device", json=body)).is_success

from uuid import UUID

from fleet_kit.schemas import StrictModel


class LinkIn(StrictModel):
    """The device that the SIM is put into."""

    device_id: UUID

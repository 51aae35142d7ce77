"""Organisations."""

from typing import Literal
from uuid import UUID

from fleet_contracts.events.envelope import Data, FleetEvent


class OrganizationData(Data):
    """An organisation."""

    id: UUID
    name: str


class OrganizationCreated(FleetEvent):
    """An organisation exists."""

    type: Literal["organization.created"] = "organization.created"
    data: OrganizationData

"""Bodies of the organisations' API."""

from uuid import UUID

from fleet_kit.schemas import ResponseModel, Timestamp


class OrganizationOut(ResponseModel):
    """An organisation."""

    id: UUID
    name: str
    created_at: Timestamp

"""Bodies of the organisations' API."""

from typing import Literal
from uuid import UUID

from fleet_kit.schemas import ResponseModel, Timestamp

Sort = Literal["name", "-name", "created_at", "-created_at"]


class OrganizationOut(ResponseModel):
    """An organisation."""

    id: UUID
    name: str
    created_at: Timestamp

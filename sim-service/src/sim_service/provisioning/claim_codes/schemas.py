"""HTTP shapes of claim codes."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from fleet_kit.schemas import LineText, ResponseModel, StrictModel, Timestamp
from sim_service.platform.iccid import Iccids


class ClaimCodeIn(StrictModel):
    """SIMs that nobody owns, for whoever gets the code. `note`: for whom it is meant.

    `even_if_ordered`: also SIMs that another organisation ordered, which needs no code to claim them.
    """

    iccids: Iccids
    expires_in_hours: Annotated[int, Field(ge=1, le=8760)] = 720
    note: Annotated[LineText, Field(max_length=200)] = ""
    even_if_ordered: bool = False


class ClaimCodeOut(ResponseModel):
    """A code without its text; `organization_id` is who used it."""

    id: UUID
    iccids: list[str]
    note: str
    created_by: UUID
    created_at: Timestamp
    expires_at: Timestamp
    organization_id: UUID | None
    used_by: UUID | None
    used_at: Timestamp | None


class NewClaimCodeOut(ClaimCodeOut):
    """With its text, which is shown this once."""

    code: str

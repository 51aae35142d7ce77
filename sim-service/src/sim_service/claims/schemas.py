"""HTTP shapes of claims."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from fleet_kit.schemas import ResponseModel, StrictModel
from sim_service.iccid import Iccid


class ClaimIn(StrictModel):
    """SIMs to claim; `organization_id` other than one's own only by a platform administrator."""

    iccids: Annotated[list[Iccid], Field(min_length=1, max_length=1000)]
    organization_id: UUID | None = None


class ClaimOut(ResponseModel):
    """What became of the claim: all of the SIMs now belong to the organisation."""

    organization_id: UUID
    claimed: list[str]
    already_owned: list[str]

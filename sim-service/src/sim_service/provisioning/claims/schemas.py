from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from fleet_kit.schemas import ResponseModel, StrictModel, Text, Timestamp
from sim_service.platform.iccid import Iccids


class ClaimIn(StrictModel):
    """`iccids` of an order that the organisation placed, or a `code`, which names its SIMs itself.

    The platform administrator claims any that nobody owns, also for another's `organization_id`.
    """

    iccids: Iccids | None = None
    code: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    organization_id: UUID | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.iccids is None) == (self.code is None):
            raise ValueError("give either iccids or code")
        return self


class ClaimOut(ResponseModel):
    """What became of the claim: all of the SIMs now belong to the organisation."""

    organization_id: UUID
    claimed: list[str]
    already_owned: list[str]


class ReleaseIn(StrictModel):
    """SIMs to give back."""

    iccids: Iccids


class ReleasedOut(ResponseModel):
    """SIMs that were given back."""

    released: list[str]


class ReleaseOut(ResponseModel):
    """A SIM that was given back, with its label and tags of then."""

    iccid: str
    organization_id: UUID
    label: str
    tags: list[str]
    released_by: UUID | None
    released_at: Timestamp

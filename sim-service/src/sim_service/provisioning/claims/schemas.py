from uuid import UUID

from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp
from sim_service.platform.iccid import Iccids


class ClaimIn(StrictModel):
    """SIMs to claim; `organization_id` other than one's own only by a platform administrator."""

    iccids: Iccids
    organization_id: UUID | None = None


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

"""What live clients say."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from fleet_kit.schemas import StrictModel

Iccid = Annotated[str, Field(pattern=r"^[0-9]{18,20}$")]


class Subscribe(StrictModel):
    """What a client wants to hear: these devices and SIMs, or everything of its organisation without either.

    `since` is the cursor of the last item that it got.
    """

    devices: Annotated[list[UUID], Field(max_length=1000)] | None = None
    sims: Annotated[list[Iccid], Field(max_length=1000)] | None = None
    since: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None

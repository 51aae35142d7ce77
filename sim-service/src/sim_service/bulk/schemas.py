from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from fleet_kit.schemas import StrictModel
from sim_service.billing.topups.schemas import TopUpIn
from sim_service.inventory.sims.fields import MAX_TAGS, Label, Tag
from sim_service.inventory.sims.schemas import SimConditions
from sim_service.messages.sms.schemas import SmsIn
from sim_service.platform.iccid import Iccid

MAX_ICCIDS = 10_000


class BulkAction(StrEnum):
    """What is done to each SIM."""

    ENABLE = "enable"
    DISABLE = "disable"
    LABEL = "label"
    TAG = "tag"
    UNTAG = "untag"
    TOP_UP = "top_up"
    SMS = "sms"


class BulkFilter(SimConditions, StrictModel):
    """The SIMs that the list shows with the same filters."""

    model_config = ConfigDict(extra="forbid")


class _Bulk(StrictModel):
    """Which SIMs: `iccids`, or a `filter` as of the list (empty: all). Of one's organisation."""

    iccids: Annotated[list[Iccid], Field(min_length=1, max_length=MAX_ICCIDS)] | None = None
    filter: BulkFilter | None = None
    organization_id: UUID | None = Field(None, description="another one's, for the platform administrator")

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if (self.iccids is None) == (self.filter is None):
            raise ValueError("give either iccids or filter")
        return self


class NoParams(StrictModel):
    """Nothing to choose."""


class LabelParams(StrictModel):
    """The label that all get."""

    label: Label


class TagParams(StrictModel):
    """The tags that are added or taken away."""

    tags: Annotated[list[Tag], Field(min_length=1, max_length=MAX_TAGS)]


class BulkSwitchIn(_Bulk):
    """Enable or disable SIMs."""

    action: Literal[BulkAction.ENABLE, BulkAction.DISABLE]
    params: NoParams = NoParams()


class BulkLabelIn(_Bulk):
    """Give SIMs the same label."""

    action: Literal[BulkAction.LABEL]
    params: LabelParams


class BulkTagIn(_Bulk):
    """Add tags to SIMs or take them away."""

    action: Literal[BulkAction.TAG, BulkAction.UNTAG]
    params: TagParams


class BulkTopUpIn(_Bulk):
    """Buy volume for SIMs, in orders of up to 100."""

    action: Literal[BulkAction.TOP_UP]
    params: TopUpIn = TopUpIn()


class BulkSmsIn(_Bulk):
    """Send the same message to SIMs."""

    action: Literal[BulkAction.SMS]
    params: SmsIn


BulkIn = Annotated[
    BulkSwitchIn | BulkLabelIn | BulkTagIn | BulkTopUpIn | BulkSmsIn, Field(discriminator="action")
]

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from fleet_kit.schemas import ResponseModel, StrictModel
from sim_service.platform.iccid import Iccids

Choice = Annotated[int | None, Field(ge=0, le=2**31 - 1)]


class LimitKind(StrEnum):
    """What a monthly limit counts: data, messages sent by SIMs, messages sent to them."""

    DATA = "data"
    SMS_MO = "sms_mo"
    SMS_MT = "sms_mt"


class LimitOut(ResponseModel):
    """A limit for each calendar month; `unit` as the carrier names it: MB or SMS."""

    id: int
    value: Decimal
    unit: str


class LimitsOut(ResponseModel):
    """The limits that are set; null: none."""

    data: LimitOut | None
    sms_mo: LimitOut | None
    sms_mt: LimitOut | None


class LimitsIn(StrictModel):
    """Limits to set, by the ids of their choices; what is not named stays as it is."""

    data: Choice = None
    sms_mo: Choice = None
    sms_mt: Choice = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.data is None and self.sms_mo is None and self.sms_mt is None:
            raise ValueError("name a limit to set: data, sms_mo or sms_mt")
        return self


class AutoTopUpIn(StrictModel):
    """SIMs that the carrier itself tops up, or no longer. It buys without this platform's budgets."""

    iccids: Iccids
    enabled: bool


class TransferIn(StrictModel):
    """SIMs that leave this account for another customer of the carrier, by that customer's number."""

    iccids: Iccids
    target: Annotated[int, Field(ge=1, le=2**31 - 1)]


class TransferOut(ResponseModel):
    """What was asked for; the carrier works on it, and a sync shows when the SIMs are gone."""

    iccids: list[str]
    target: int

"""Limits as 1NCE writes them."""

from pydantic import BaseModel, ConfigDict, Field

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.volume_limits.models import Service, VolumeLimits, options
from once_sandbox.wire import Json, present


class SetLimits(BaseModel):
    """The ids to set; what is left out stays."""

    model_config = ConfigDict(strict=True)

    data: int | None = Field(default=None, alias="dataLimitId")
    sms_mt: int | None = Field(default=None, alias="smsMtLimitId")
    sms_mo: int | None = Field(default=None, alias="smsMoLimitId")


def current_limits(limits: VolumeLimits) -> Json:
    """The limits in force."""
    return present(
        data=_limit("data", limits.data),
        smsMt=_limit("smsMT", limits.sms_mt),
        smsMo=_limit("smsMO", limits.sms_mo),
    )


def selectable(service: Service, limits: VolumeLimits, behaviours: Behaviours) -> Json | list[Json | None]:
    """What can be chosen. The specification gives this call the shape of the current limits."""
    choices = [_limit(service, chosen) for chosen in options(service)[0]]
    if behaviours.dates == "recorded":
        return choices
    return current_limits(limits) | {"limits": choices}


def _limit(service: Service, chosen: int | None) -> Json | None:
    if chosen is None:
        return None
    values, unit = options(service)
    return {"id": chosen, "limit": str(values[chosen]), "unit": unit}

"""A SIM and its changes as 1NCE writes them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.quotas.models import Quota
from once_sandbox.sims.models import Sim
from once_sandbox.wire import MEGABYTE, Json, Text, offset, optional_zulu, present, spaced

_LEVELS = ("More than 20% available", "Less than 20% available", "No volume available")


class SimUpdate(BaseModel):
    """v2's changes to one SIM; what is left out stays as it is."""

    model_config = ConfigDict(strict=True)

    iccid: str | None = None
    label: Text | None = Field(default=None, max_length=255)
    imei_lock: bool | None = None
    status: Literal["Enabled", "Disabled"] | None = None


class SimUpdateV1(SimUpdate):
    """v1's changes, where ICCID and status have to be given."""

    iccid: str
    status: Literal["Enabled", "Disabled"]


def sim_card(sim: Sim, behaviours: Behaviours, *, single: bool = False) -> Json:
    """A SIM as both versions show it."""
    written = spaced if behaviours.dates == "recorded" and single else offset
    enabled = behaviours.single_status if single else "Enabled"
    return present(
        iccid=sim.iccid,
        iccid_with_luhn=sim.iccid_with_luhn,
        imsi=sim.imsi,
        imsi_2=sim.second_imsi,
        current_imsi=sim.imsi if sim.imei else None,
        msisdn=sim.msisdn,
        imei=sim.imei,
        imei_lock=sim.imei_lock,
        status=enabled if sim.enabled else "Disabled",
        activation_date=written(sim.activated_at),
        ip_address=sim.ip_address,
        current_quota=sim.data.total / MEGABYTE,
        quota_status=_quota_status(sim.data),
        current_quota_SMS=sim.sms.total,
        quota_status_SMS=_quota_status(sim.sms),
        label=sim.label or None,
    )


def _quota_status(quota: Quota) -> Json:
    level = quota.level()
    return present(
        id=level,
        description=_LEVELS[level],
        threshold_reached_date=optional_zulu(quota.threshold_at),
        quota_exceeded_date=optional_zulu(quota.exceeded_at),
    )

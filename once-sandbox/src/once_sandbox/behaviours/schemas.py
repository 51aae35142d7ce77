"""Every switch of the sandbox's behaviour, with its unit."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt


class Behaviours(BaseModel):
    """Defaults follow 1NCE's specification; the profile `recorded` follows what was seen on the wire."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    unknown_iccid: Literal["not_found", "empty_200"] = Field(
        "not_found", description="answer for an ICCID nobody has"
    )
    single_status: Literal["Enabled", "Activated"] = Field(
        "Enabled", description="what one enabled SIM's GET says"
    )
    dates: Literal["spec", "recorded"] = Field(
        "spec", description="recorded: four formats, days without a time"
    )
    operator_ids: Literal["string", "integer"] = Field("string", description="v1 operator and country ids")
    iso_code: Literal["iso-code", "iso_code"] = Field(
        "iso-code", description="v1 name of the country's ISO code"
    )
    buffered_in_v2: bool = Field(
        default=False, description="v2 shows SMS status 3 BUFFERED, which its spec lacks"
    )
    rx_is_sent: bool = Field(
        default=True, description="REST usage: volume_rx is what the SIM sent (recorded)"
    )
    quota_volume_as_text: bool = Field(
        default=False, description="quota events carry their volume as a string"
    )
    invalid_payment_method: Literal["reject", "default"] = "reject"
    location_host: str = Field("", description="host in Location headers; empty: the one that was asked")
    sms_location_host: str = Field("http://10.33.7.12:8080", description="internal host in an SMS's Location")

    v1_enabled: bool = Field(default=True, description="false: v1 has reached its end of life")
    v1_end_status: int = Field(410, ge=400, le=599, description="status of every v1 path once it is off")
    rate_limit_enabled: bool = True
    sims_per_second: PositiveFloat = 10.0
    sims_burst: PositiveInt = 10
    tokens_per_minute: PositiveInt = 600
    others_per_five_minutes: PositiveInt = 100
    retry_after: bool = Field(default=True, description="429 carries Retry-After")
    token_seconds: PositiveInt = Field(3600, description="lifetime of an access token, real seconds")

    bulk_lag_seconds: NonNegativeFloat = Field(2.0, description="bulk update: from 201 to the visible change")
    update_lag_seconds: NonNegativeFloat = Field(
        0.0, description="single update: from 200 to the visible change"
    )
    reset_seconds: NonNegativeFloat = Field(3.0, description="from the reset's 201 to the session's end")
    delivery_seconds: NonNegativeFloat = Field(
        2.0, description="SMS: from submit to delivery on a reachable SIM"
    )
    payment_seconds: dict[str, NonNegativeFloat] = Field(
        default_factory=lambda: {
            "creditcard": 2.0,
            "monthlyinvoice": 2.0,
            "boleto": 86_400.0,
            "banktransfer": 172_800.0,
        },
        description="from the order to its payment, when the volume is booked",
    )
    shipping_seconds: NonNegativeFloat = Field(
        10.0, description="from payment to ordered SIMs in the account"
    )
    auto_topup_check_seconds: PositiveFloat = 14_400.0
    session_idle_seconds: PositiveFloat = Field(
        3600.0, description="a session without traffic is closed after this"
    )
    stale_attached_seconds: PositiveFloat = Field(
        129_600.0, description="a vanished device stays ATTACHED so long"
    )
    block_exhausted: bool = Field(
        default=True, description="no traffic without quota, over a limit or when expired"
    )
    limit_scope: Literal["each_sim", "organisation"] = Field(
        "each_sim", description="what a monthly limit counts"
    )


RECORDED: dict[str, object] = {
    "unknown_iccid": "empty_200",
    "single_status": "Activated",
    "dates": "recorded",
    "operator_ids": "integer",
    "iso_code": "iso_code",
    "buffered_in_v2": True,
    "quota_volume_as_text": True,
    "invalid_payment_method": "default",
}
"""What the profile `recorded` changes."""


def profile(name: str) -> Behaviours:
    """`spec` or `recorded`."""
    return Behaviours.model_validate(RECORDED if name == "recorded" else {})

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict, Field

from fleet_kit.keyset_pagination import SortOrder
from fleet_kit.schemas import QueryModel, ResponseModel, Text, Timestamp
from sim_service.carrier.freshness import age_seconds
from sim_service.carrier.models import QuotaState, SimStatus
from sim_service.inventory.sims.fields import MAX_TAGS, Label, Tag
from sim_service.inventory.sims.models import Lifecycle, Sim

SortName = Literal[
    "iccid", "-iccid", "label", "-label", "status", "-status",
    "created_at", "-created_at", "updated_at", "-updated_at",
]  # fmt: skip


class SimOut(ResponseModel):
    """A SIM. `synced_at`: the carrier confirmed all of this then; `missing_since`: it no longer lists it."""

    iccid: str
    iccid_with_luhn: str | None
    carrier: str
    organization_id: UUID | None
    device_id: UUID | None
    status: SimStatus
    desired_status: SimStatus | None
    lifecycle: Lifecycle
    label: str | None
    tags: list[str]
    metadata: dict[str, Any]
    imsi: str | None
    imsi_2: str | None
    current_imsi: str | None
    msisdn: str | None
    imei: str | None
    imei_lock: bool | None
    ip_address: str | None
    activated_at: Timestamp | None
    data_quota_state: QuotaState | None
    sms_quota_state: QuotaState | None
    missing_since: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    synced_at: Timestamp
    age_seconds: float

    @classmethod
    def of(cls, sim: Sim, confirmed_at: datetime | None) -> "SimOut":
        """The SIM; `confirmed_at` is when a whole sync last confirmed every SIM that it did not change."""
        synced_at = sim.synced_at
        if confirmed_at is not None and sim.missing_since is None:
            synced_at = max(synced_at, confirmed_at)
        values = {name: getattr(sim, name) for name in cls.model_fields if hasattr(sim, name)}
        values |= {
            "label": sim.label or None,
            "metadata": sim.details,
            "synced_at": synced_at,
            "age_seconds": age_seconds(synced_at),
        }
        return cls.model_validate(values)


class SimConditions(QueryModel):
    """The list's filters; all of them must hold."""

    model_config = ConfigDict(extra="ignore")

    search: Annotated[
        Text | None,
        Query(max_length=100, description="part of ICCID, IMSI, MSISDN, IMEI, IP address or label"),
    ] = None
    status: SimStatus | None = None
    linked: Annotated[bool | None, Query(description="whether the SIM is in a device")] = None
    claimed: Annotated[bool | None, Query(description="whether it has an owner (platform administrator)")] = (
        None
    )
    missing: Annotated[bool | None, Query(description="whether the carrier no longer lists it")] = None
    quota_state: Annotated[QuotaState | None, Query(description="state of its data or SMS quota")] = None
    device_id: UUID | None = None
    label: Annotated[Label | None, Query(description="the whole label")] = None
    tag: Annotated[
        list[Tag], Query(max_length=MAX_TAGS, description="a tag; of several, the SIM has all")
    ] = Field(default_factory=list)
    desired_status: SimStatus | None = None
    lifecycle: Lifecycle | None = None


class SimQuery(SimConditions):
    """The list's filters and order."""

    sort: SortName = "iccid"

    def order(self) -> SortOrder:
        """The order for the repository; the ICCID decides between equals."""
        return SortOrder(self.sort, getattr(Sim, self.sort.removeprefix("-")), Sim.iccid)

from datetime import date
from typing import Annotated, Literal

from fastapi import Query
from pydantic import ConfigDict, Field

from fleet_kit.schemas import QueryModel, ResponseModel, StrictModel, Timestamp
from sim_service.carrier.freshness import Freshness, Known, freshness
from sim_service.carrier.models import QuotaKind, QuotaState
from sim_service.usage.quotas.forecast import CONFIDENCE
from sim_service.usage.quotas.models import NEVER, SimQuota

Percent = Annotated[int, Field(ge=0, le=100)]


class ForecastOut(ResponseModel):
    """When the quota is used up if the SIM goes on as in the last `basis_days` days.

    `exhausted_on` is expected, `earliest` and `latest` hold `confidence` of all outcomes; null: not within
    ten years, or `basis_days` (below three) are too few to tell, and then `per_day` is null too. `ends_on` is
    the first of exhaustion and expiry, `ends_by` which of them.
    """

    exhausted_on: date | None
    earliest: date | None
    latest: date | None
    confidence: float
    basis_days: int
    per_day: float | None
    ends_on: date | None
    ends_by: Literal["exhaustion", "expiry"] | None

    @classmethod
    def of(cls, quota: SimQuota) -> "ForecastOut":
        ends = None if quota.ends_on == NEVER else quota.ends_on
        by_use = ends is not None and ends == quota.exhausted_on
        return cls(
            exhausted_on=quota.exhausted_on,
            earliest=quota.exhausted_earliest,
            latest=quota.exhausted_latest,
            confidence=CONFIDENCE,
            basis_days=quota.basis_days,
            per_day=None if quota.per_day is None else round(quota.per_day, 6),
            ends_on=ends,
            ends_by=None if ends is None else "exhaustion" if by_use else "expiry",
        )


class QuotaOut(Freshness):
    """A quota in megabytes (of 1,048,576 bytes) or messages; `remaining` may be negative.

    `state` follows `threshold_percent`, which is the owner's where one was set, else the carrier's.
    """

    iccid: str
    kind: QuotaKind
    remaining: float
    total: float
    used_percent: float | None
    threshold_percent: int
    last_added: float | None
    expires_at: Timestamp | None
    changed_at: Timestamp | None
    state: QuotaState
    forecast: ForecastOut

    @classmethod
    def of(cls, known: Known[SimQuota]) -> "QuotaOut":
        quota = known.value
        used = None if not quota.total else round(float(100 * (1 - quota.remaining / quota.total)), 2)
        own = {name: getattr(quota, name) for name in cls.model_fields if hasattr(quota, name)}
        derived = {"used_percent": used, "forecast": ForecastOut.of(quota)}
        return cls.model_validate({**own, **derived, **freshness(known)})

    @classmethod
    def of_stored(cls, quota: SimQuota) -> "QuotaOut":
        return cls.of(Known(quota, quota.fetched_at))


class QuotasOut(ResponseModel):
    """Both quotas of a SIM."""

    data: QuotaOut
    sms: QuotaOut


class QuotaQuery(QueryModel):
    """The list's filters."""

    model_config = ConfigDict(extra="ignore")

    kind: QuotaKind = QuotaKind.DATA
    state: QuotaState | None = None
    ends_before: Annotated[
        date | None, Query(description="used up, as foretold, or expired before this UTC day")
    ] = None


class ThresholdsIn(StrictModel):
    """Percent of the total at which a quota counts as low; null: as the carrier says."""

    data: Percent | None = None
    sms: Percent | None = None


class ThresholdsOut(ResponseModel):
    """What was set; null: as the organisation's, or the carrier's, say."""

    data: int | None
    sms: int | None

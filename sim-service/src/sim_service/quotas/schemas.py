"""HTTP shapes of quotas."""

from fleet_kit.schemas import ResponseModel, Timestamp
from sim_service.carrier.facts import QuotaKind, QuotaState
from sim_service.freshness import Freshness, Known, freshness
from sim_service.quotas.models import SimQuota


class QuotaOut(Freshness):
    """A quota in megabytes (of 1,048,576 bytes) or messages; `remaining` may be negative."""

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

    @classmethod
    def of(cls, known: Known[SimQuota]) -> "QuotaOut":
        """The quota with its age."""
        quota = known.value
        used = None if not quota.total else round(float(100 * (1 - quota.remaining / quota.total)), 2)
        return cls(
            iccid=quota.iccid,
            kind=QuotaKind(quota.kind),
            remaining=float(quota.remaining),
            total=float(quota.total),
            used_percent=used,
            threshold_percent=quota.threshold_percent,
            last_added=None if quota.last_added is None else float(quota.last_added),
            expires_at=quota.expires_at,
            changed_at=quota.changed_at,
            state=QuotaState(quota.state),
            **freshness(known),
        )


class QuotasOut(ResponseModel):
    """Both quotas of a SIM."""

    data: QuotaOut
    sms: QuotaOut

"""Events of quotas: one for each threshold that was crossed downwards."""

from fleet_contracts.events import FleetEvent, QuotaData, SimQuotaExhausted, SimQuotaLow
from sim_service.carrier.models import QuotaState
from sim_service.usage.quotas.models import SimQuota

SOURCE = "sim-service"
_DEPTH = {QuotaState.LOW: 1, QuotaState.EXHAUSTED: 2}


def crossings(quota: SimQuota, before: str | None) -> list[FleetEvent]:
    """The events of a quota that was in the state `before` (None: not known) and is in its present one."""
    was = _DEPTH.get(QuotaState(before), 0) if before else 0
    now = _DEPTH.get(QuotaState(quota.state), 0)
    outgoing: list[FleetEvent] = []
    if was < 1 <= now:
        outgoing.append(SimQuotaLow(**_envelope(quota)))
    if was < 2 <= now:
        outgoing.append(SimQuotaExhausted(**_envelope(quota)))
    return outgoing


def _envelope(quota: SimQuota) -> dict[str, object]:
    data = QuotaData(
        iccid=quota.iccid,
        quota="data" if quota.kind == "data" else "sms",
        remaining=float(quota.remaining),
        total=float(quota.total),
        threshold_percent=float(quota.threshold_percent),
    )
    return {"source": SOURCE, "subject": quota.iccid, "organizationid": quota.organization_id, "data": data}

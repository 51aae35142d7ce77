"""Quotas as v1 and v2 write them."""

from typing import Literal

from once_sandbox.behaviours.schemas import Behaviours
from once_sandbox.quotas.models import THRESHOLD_PERCENT, Quota
from once_sandbox.sims.models import Sim
from once_sandbox.usage.schemas import noisy_megabytes
from once_sandbox.wire import Json, present, spaced, zulu

Service = Literal["data", "sms"]
PEAK_THROUGHPUT = 1_000_000
"""Bits per second."""
_STATES = ("EXHAUSTED", "ACTIVE", "EXPIRED")


def quota_of(sim: Sim, service: Service) -> Quota:
    """The SIM's quota of that service."""
    return sim.data if service == "data" else sim.sms


def volume(service: Service, amount: float) -> float:
    """Bytes as MB; messages as they are."""
    return noisy_megabytes(int(amount)) if service == "data" else amount


def quota_v1(quota: Quota, service: Service, behaviours: Behaviours) -> Json:
    """The v1 form; what is left never shows below zero."""
    recorded = behaviours.dates == "recorded"
    return present(
        volume=volume(service, max(0, quota.remaining)),
        total_volume=volume(service, quota.granted),
        expiry_date=zulu(quota.expires_at)[:10] if recorded else zulu(quota.expires_at),
        peak_throughput=PEAK_THROUGHPUT if service == "data" else None,
        last_volume_added=volume(service, quota.added),
        last_status_change_date=spaced(quota.changed_at) if recorded else zulu(quota.changed_at),
        threshold_percentage=THRESHOLD_PERCENT,
    )


def quota_v2(sim: Sim, service: Service, now: float) -> Json:
    """The v2 form; what is left can be negative."""
    quota = quota_of(sim, service)
    state = 2 if quota.expired(now) else int(quota.remaining > 0)
    return {
        "id": sim.index * 2 + (1 if service == "data" else 2),
        "status": {"id": state, "description": _STATES[state]},
        "volume": volume(service, quota.remaining),
        "total_volume": volume(service, quota.total),
        "accumulated_total_volume": volume(service, quota.granted),
        "last_volume_added": volume(service, quota.added),
        "service": service,
        "threshold_percentage": THRESHOLD_PERCENT,
        "threshold_volume": volume(service, quota.threshold),
        "expiry_date": zulu(quota.expires_at),
        "created_at": zulu(sim.activated_at),
    }

"""Whether there is volume left, and whether it may be used."""

from datetime import UTC, datetime

from sim_service.carrier.models import NetworkState, QuotaState
from sim_service.lifecycle.diagnosis.evidence import Cause, Effect, Evidence, when
from sim_service.usage.quotas.models import SimQuota


def data_expired(evidence: Evidence) -> Cause | None:
    data = evidence.data
    if data is None or not expired(data):
        return None
    return Cause(
        "DATA_QUOTA_EXPIRED",
        Effect.BLOCK,
        f"The SIM's data volume expired on {when(data.expires_at)}, so the network refuses data.",
        "Extend the SIM: an expired one can be neither changed nor topped up.",
        _facts(data),
    )


def data_exhausted(evidence: Evidence) -> Cause | None:
    data = evidence.data
    if data is None or data.state != QuotaState.EXHAUSTED or expired(data):
        return None
    return Cause(
        "DATA_QUOTA_EXHAUSTED",
        Effect.BLOCK,
        f"The data volume of {data.total:.0f} MB is used up, so the network refuses data.",
        "Top up the SIM, or let a top-up policy do so.",
        _facts(data),
    )


def data_low(evidence: Evidence) -> Cause | None:
    data = evidence.data
    if data is None or data.state != QuotaState.LOW or expired(data):
        return None
    return Cause(
        "DATA_QUOTA_LOW",
        Effect.ATTENTION,
        f"Only {data.remaining:.1f} MB of {data.total:.0f} MB are left.",
        "Top up the SIM before it falls silent.",
        _facts(data),
    )


def sms_exhausted(evidence: Evidence) -> Cause | None:
    """No message can be sent to the SIM or by it; data is not touched by this."""
    sms = evidence.sms
    if sms is None or sms.state != QuotaState.EXHAUSTED or expired(sms):
        return None
    return Cause(
        "SMS_QUOTA_EXHAUSTED",
        Effect.ATTENTION,
        f"All {sms.total:.0f} messages are used up: SMS from and to the SIM are refused, data is not.",
        "Top up the SIM.",
        _facts(sms),
    )


def monthly_limit(evidence: Evidence) -> Cause | None:
    """The account's own limit for the month stops data."""
    network = evidence.network
    if network is None or not network.value.limit_reached:
        return None
    return Cause(
        "MONTHLY_LIMIT_REACHED",
        Effect.BLOCK,
        "The account's monthly data limit is reached, so the network refuses data until the month is over.",
        "Raise the account's limit, or wait for the first of the month.",
        {"limit_reached": True, "as_of": network.as_of, "online": evidence.state is NetworkState.ONLINE},
    )


def expired(quota: SimQuota) -> bool:
    """Whether the quota's time is over, as the carrier says or by its date."""
    by_date = quota.expires_at is not None and quota.expires_at <= datetime.now(UTC)
    return by_date or quota.state == QuotaState.EXPIRED


def _facts(quota: SimQuota) -> dict[str, object]:
    return {
        "remaining": float(quota.remaining),
        "total": float(quota.total),
        "expires_at": quota.expires_at,
        "as_of": quota.fetched_at,
    }

"""Why the network refused data the last time, in the words of its events."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sim_service.carrier.models import NetworkState, QuotaState, SimStatus
from sim_service.lifecycle.diagnosis.evidence import Cause, Effect, Evidence, when
from sim_service.lifecycle.diagnosis.rules import network, volume
from sim_service.lifecycle.network_events.models import SimEvent

_FORGOTTEN_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Meaning:
    code: str
    reason: str
    advice: str
    effect: Effect = Effect.BLOCK


_LOCKED = "the device is not the one that the SIM is locked to"
_UNLOCK = "Put the SIM back into its device, or take the IMEI lock off."
_MEANINGS = {
    "IMSI_NOT_FOUND": _Meaning(
        "IMSI_NOT_FOUND",
        "the network does not find the SIM's IMSI among the carrier's subscribers",
        "Reset the connectivity; if it stays so, open a support ticket with the IMSI.",
    ),
    "APN_NOT_AUTHORIZED": _Meaning(
        "WRONG_APN", "the device asked for an APN that is not allowed", "Correct the APN in the device."
    ),
    "PDN_NOT_SUPPORTED": _Meaning(
        "PDN_TYPE_NOT_SUPPORTED",
        "the device asked for a type of connection (such as IPv6) that is not offered",
        "Have the device ask for IPv4.",
    ),
    "IMEI_LOCK_BREACHED": _Meaning("IMEI_LOCK_BREACHED", _LOCKED, _UNLOCK),
    "IMEI_LOCK_ENFORCED": _Meaning("IMEI_LOCK_BREACHED", _LOCKED, _UNLOCK),
    "NO_QUOTA_FOUND": _Meaning(
        "NO_QUOTA", "the SIM has no data volume at all", "Top up the SIM, or ask the carrier for its volume."
    ),
    "QUOTA_EXPIRED": _Meaning("DATA_QUOTA_EXPIRED", "its data volume has expired", "Extend the SIM."),
    "QUOTA_EXHAUSTED": _Meaning("DATA_QUOTA_EXHAUSTED", "its data volume is used up", "Top up the SIM."),
    "MONTHLY_USAGE_LIMIT_EXCEEDED": _Meaning(
        "MONTHLY_LIMIT_REACHED",
        "the account's monthly limit is reached",
        "Raise the account's limit, or wait for the first of the month.",
    ),
    "DATA_SERVICE_BARRED": _Meaning(
        "DATA_BARRED",
        "data is barred for this SIM",
        "Check that the SIM is enabled; else ask the carrier to lift the bar.",
    ),
    "INACTIVITY_TIMER_EXPIRED": _Meaning(
        "SESSION_TIMED_OUT",
        "nothing was sent for so long that the network closed the session",
        "Normal for a device that has nothing to say; else have it send more often.",
        Effect.SILENCE,
    ),
}


def refused(evidence: Evidence) -> Cause | None:
    """The last refusal, unless a session came after it or something known already says the same."""
    event = _last_refusal(evidence)
    if event is None or event.cause is None or _said_already(evidence, event.cause):
        return None
    words = event.cause.lower().replace("_", " ")
    other = _Meaning("DATA_REFUSED", f"of {words}", "Ask the carrier's support what this means.")
    meaning = _MEANINGS.get(event.cause, other)
    facts = {"cause": event.cause, "at": event.at, "operator": event.operator, "event_id": event.id}
    if _over(evidence, event):
        return Cause(
            "NOT_RETRIED_SINCE_REFUSAL",
            Effect.SILENCE,
            f"The network refused data at {when(event.at)} because {meaning.reason}, which is no longer so; "
            "the device has not tried again.",
            "Reset the SIM's connectivity, or restart the device.",
            facts,
        )
    text = f"The network refused data at {when(event.at)} because {meaning.reason}."
    return Cause(meaning.code, meaning.effect, text, meaning.advice, facts)


def _last_refusal(evidence: Evidence) -> SimEvent | None:
    if evidence.state is NetworkState.ONLINE:
        return None
    event = evidence.last("session_refused", "session_opened")
    if event is None or event.type != "session_refused":
        return None
    return event if datetime.now(UTC) - event.at < _FORGOTTEN_AFTER else None


def _said_already(evidence: Evidence, cause: str) -> bool:
    """Whether the SIM's present state shows the same, which is better evidence than a past event."""
    if cause == "QUOTA_EXPIRED":
        return volume.data_expired(evidence) is not None
    if cause in {"QUOTA_EXHAUSTED", "NO_QUOTA_FOUND"}:
        return volume.data_exhausted(evidence) is not None
    if cause == "MONTHLY_USAGE_LIMIT_EXCEEDED":
        return volume.monthly_limit(evidence) is not None
    barred = evidence.sim.status == SimStatus.DISABLED or network.blocked(evidence) is not None
    return cause == "DATA_SERVICE_BARRED" and barred


def _over(evidence: Evidence, event: SimEvent) -> bool:
    """Whether what was refused would be allowed now, as far as that can be seen."""
    data, connectivity = evidence.data, evidence.network
    if event.cause in {"QUOTA_EXPIRED", "QUOTA_EXHAUSTED", "NO_QUOTA_FOUND"}:
        has_volume = data is not None and data.state in {QuotaState.OK, QuotaState.LOW}
        return data is not None and has_volume and data.fetched_at > event.at
    if event.cause == "MONTHLY_USAGE_LIMIT_EXCEEDED":
        known = connectivity is not None and connectivity.as_of > event.at
        return known and connectivity is not None and connectivity.value.limit_reached is False
    if event.cause == "DATA_SERVICE_BARRED":
        enabled = evidence.last("sim_enabled")
        return enabled is not None and enabled.at > event.at
    return event.cause in {"IMEI_LOCK_BREACHED", "IMEI_LOCK_ENFORCED"} and evidence.sim.imei_lock is False

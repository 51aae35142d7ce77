"""A diagnosis in one word and in one sentence."""

from typing import Literal

from sim_service.carrier.models import NetworkState
from sim_service.lifecycle.diagnosis.evidence import Effect, Evidence, when
from sim_service.lifecycle.diagnosis.service import Diagnosis

Verdict = Literal["fine", "attention", "silent", "blocked", "unknown"]
_VERDICTS: dict[Effect, Verdict] = {
    Effect.NOTE: "fine",
    Effect.ATTENTION: "attention",
    Effect.SILENCE: "silent",
    Effect.BLOCK: "blocked",
}


def verdict_of(diagnosis: Diagnosis) -> Verdict:
    evidence = diagnosis.evidence
    if (
        diagnosis.worst is Effect.NOTE
        and evidence.state is NetworkState.UNKNOWN
        and not _device_is_online(evidence)
    ):
        return "unknown"
    return _VERDICTS[diagnosis.worst]


def _device_is_online(evidence: Evidence) -> bool:
    return evidence.device is not None and bool(evidence.device.online)


def summarize(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """The sentence that a person reads first."""
    evidence = diagnosis.evidence
    if verdict == "unknown":
        return "Nothing is known of this SIM's connection, and the carrier cannot be asked at the moment."
    if verdict == "fine":
        return f"Nothing is wrong: {_state_in_words(evidence)}."
    serious = [cause for cause in diagnosis.causes if cause.effect is not Effect.NOTE]
    more = len(serious) - 1
    also = f" There {'is' if more == 1 else 'are'} {more} more to look at." if more else ""
    return serious[0].explanation + also


def _state_in_words(evidence: Evidence) -> str:
    """How a SIM stands that nothing is wrong with."""
    parts = []
    if evidence.network is not None and evidence.state is not NetworkState.UNKNOWN:
        row = evidence.network.value
        parts.append(f"the SIM is {row.state} at {row.operator or 'an unknown operator'}")
    if evidence.device is not None and evidence.device.online:
        parts.append(f"its device reports, since {when(evidence.device.last_seen_at)}")
    return " and ".join(parts) or "no cause was found"

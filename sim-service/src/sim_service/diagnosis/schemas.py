"""HTTP shapes of diagnoses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet_kit.schemas import ResponseModel, Timestamp
from sim_service.carrier.facts import NetworkState
from sim_service.diagnosis.evidence import Cause, Checked, Effect, Evidence, when
from sim_service.diagnosis.service import Diagnosis
from sim_service.freshness import age_seconds

Verdict = Literal["fine", "attention", "silent", "blocked", "unknown"]
_VERDICTS: dict[Effect, Verdict] = {
    Effect.NOTE: "fine",
    Effect.ATTENTION: "attention",
    Effect.SILENCE: "silent",
    Effect.BLOCK: "blocked",
}
_SEVERITIES: dict[Effect, Literal["info", "warning", "critical"]] = {
    Effect.NOTE: "info",
    Effect.ATTENTION: "warning",
    Effect.SILENCE: "warning",
    Effect.BLOCK: "critical",
}


class CauseOut(ResponseModel):
    """Something that was found; `evidence` are the facts it rests on."""

    code: str
    severity: Literal["info", "warning", "critical"]
    explanation: str
    advice: str
    evidence: dict[str, Timestamp | float | bool | str | UUID | list[str] | None]

    @classmethod
    def of(cls, cause: Cause) -> "CauseOut":
        """The cause as it is sent."""
        facts = {"code": cause.code, "explanation": cause.explanation, "advice": cause.advice}
        return cls.model_validate(
            {**facts, "severity": _SEVERITIES[cause.effect], "evidence": dict(cause.evidence)}
        )


class CheckedOut(ResponseModel):
    """A source; `as_of` null: it told nothing. `stale`: it could not be asked now, for `stale_reason`."""

    what: str
    as_of: Timestamp | None
    age_seconds: float | None
    stale: bool
    stale_reason: str | None

    @classmethod
    def of(cls, checked: Checked) -> "CheckedOut":
        """The source as it is sent."""
        failure = checked.failure
        return cls(
            what=checked.what,
            as_of=checked.as_of,
            age_seconds=None if checked.as_of is None else age_seconds(checked.as_of),
            stale=failure is not None,
            stale_reason=failure.code if failure else None,
        )


class DiagnosisOut(ResponseModel):
    """Why a SIM or its device is silent.

    `verdict`: `blocked` data is refused for certain, `silent` the device is not there or does not speak,
    `attention` it works and something is wrong, `fine` it works, `unknown` nobody could be asked and nothing
    is known. `causes`: the worst first; the summary tells the first. `as_of`: the oldest of what the carrier
    told.
    """

    iccid: str
    device_id: UUID | None
    verdict: Verdict
    summary: str
    causes: list[CauseOut]
    checked: list[CheckedOut]
    as_of: Timestamp | None

    @classmethod
    def of(cls, diagnosis: Diagnosis) -> "DiagnosisOut":
        """The diagnosis in words."""
        evidence = diagnosis.evidence
        verdict = _verdict(diagnosis)
        return cls(
            iccid=evidence.sim.iccid,
            device_id=evidence.sim.device_id,
            verdict=verdict,
            summary=_summary(diagnosis, verdict),
            causes=[CauseOut.of(cause) for cause in diagnosis.causes],
            checked=[CheckedOut.of(checked) for checked in evidence.checked],
            as_of=_oldest(evidence.checked),
        )


def _verdict(diagnosis: Diagnosis) -> Verdict:
    evidence = diagnosis.evidence
    if diagnosis.worst is Effect.NOTE and evidence.state is NetworkState.UNKNOWN and not _speaks(evidence):
        return "unknown"
    return _VERDICTS[diagnosis.worst]


def _speaks(evidence: Evidence) -> bool:
    return evidence.device is not None and bool(evidence.device.online)


def _summary(diagnosis: Diagnosis, verdict: Verdict) -> str:
    evidence = diagnosis.evidence
    if verdict == "unknown":
        return "Nothing is known of this SIM's connection, and the carrier cannot be asked at the moment."
    if verdict == "fine":
        return f"Nothing is wrong: {_standing(evidence)}."
    weighty = [cause for cause in diagnosis.causes if cause.effect is not Effect.NOTE]
    more = len(weighty) - 1
    also = f" There {'is' if more == 1 else 'are'} {more} more to look at." if more else ""
    return weighty[0].explanation + also


def _standing(evidence: Evidence) -> str:
    """How a SIM stands that nothing is wrong with."""
    parts = []
    if evidence.network is not None and evidence.state is not NetworkState.UNKNOWN:
        row = evidence.network.value
        parts.append(f"the SIM is {row.state} at {row.operator or 'an unknown operator'}")
    if evidence.device is not None and evidence.device.online:
        parts.append(f"its device reports, since {when(evidence.device.last_seen_at)}")
    return " and ".join(parts) or "no cause was found"


def _oldest(checked: Sequence[Checked]) -> datetime | None:
    """The oldest of what the carrier told."""
    return min((one.as_of for one in checked if one.as_of is not None and one.what != "device"), default=None)

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet_kit.schemas import ResponseModel, Timestamp
from sim_service.carrier.freshness import age_seconds
from sim_service.lifecycle.diagnosis.evidence import Cause, Effect, SourceCheck
from sim_service.lifecycle.diagnosis.service import Diagnosis
from sim_service.lifecycle.diagnosis.summary import Verdict, summarize, verdict_of

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
    def of(cls, checked: SourceCheck) -> "CheckedOut":
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
        evidence = diagnosis.evidence
        verdict = verdict_of(diagnosis)
        return cls(
            iccid=evidence.sim.iccid,
            device_id=evidence.sim.device_id,
            verdict=verdict,
            summary=summarize(diagnosis, verdict),
            causes=[CauseOut.of(cause) for cause in diagnosis.causes],
            checked=[CheckedOut.of(checked) for checked in evidence.checked],
            as_of=_oldest(evidence.checked),
        )


def _oldest(checked: Sequence[SourceCheck]) -> datetime | None:
    return min((one.as_of for one in checked if one.as_of is not None and one.what != "device"), default=None)

"""Weighing the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

from fleet_kit.database import Sessions
from fleet_kit.scope import Scope
from sim_service.carrier.base import Carrier
from sim_service.lifecycle.diagnosis.collector import EvidenceCollector
from sim_service.lifecycle.diagnosis.evidence import Cause, Effect, Evidence
from sim_service.lifecycle.diagnosis.rules import RULES
from sim_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, the worst first, and what it was looked for in."""

    evidence: Evidence
    causes: Sequence[Cause]

    @property
    def worst(self) -> Effect:
        return max((cause.effect for cause in self.causes), default=Effect.NOTE)


class DiagnosisService:
    def __init__(self, sessions: Sessions, scope: Scope, carrier: Carrier, settings: Settings) -> None:
        self._collector = EvidenceCollector(sessions, scope, carrier, settings)

    async def diagnose(self, iccid: str) -> Diagnosis:
        """Ask everybody and weigh what they say; raises NotFound, or Conflict for an unclaimed SIM."""
        evidence = await self._collector.collect(iccid)
        found = [cause for rule in RULES if (cause := rule(evidence)) is not None]
        return Diagnosis(evidence, sorted(found, key=lambda cause: -cause.effect))

"""Rate limits on the real clock: a bucket of permissions that refills evenly."""

import time
from dataclasses import dataclass, field

from once_sandbox.behaviours.schemas import Behaviours


@dataclass(slots=True)
class Bucket:
    """`left` permissions at the monotonic moment `at`."""

    left: float
    at: float

    def take(self, rate: float, burst: float, now: float) -> float:
        """Take one permission; returns the seconds until there is one, 0 if it was taken."""
        self.left = min(burst, self.left + (now - self.at) * rate)
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / rate


@dataclass(slots=True)
class Limits:
    """One bucket for each kind of call; the token endpoint has one for each address."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    refused: int = 0

    def wait(self, path: str, caller: str, behaviours: Behaviours) -> float:
        """Seconds this call comes too early; 0 lets it in."""
        if not behaviours.rate_limit_enabled:
            return 0.0
        key, rate, burst = _allowance(path, caller, behaviours)
        now = time.monotonic()
        wait = self.buckets.setdefault(key, Bucket(burst, now)).take(rate, burst, now)
        self.refused += wait > 0
        return wait


def _allowance(path: str, caller: str, behaviours: Behaviours) -> tuple[str, float, float]:
    if path.startswith("/oauth"):
        return f"oauth {caller}", behaviours.tokens_per_minute / 60, float(behaviours.tokens_per_minute)
    kind = path.split("/")[2] if path.count("/") >= 2 else ""
    if kind == "sims":
        return "sims", behaviours.sims_per_second, float(behaviours.sims_burst)
    most = behaviours.others_per_five_minutes
    return kind, most / 300, float(most)

"""Volumes of one SIM on one day."""

from dataclasses import dataclass, field
from datetime import date


@dataclass(slots=True)
class UsageDay:
    """Bytes and messages; sent: from the SIM (MO), received: to it (MT)."""

    sent: int = 0
    received: int = 0
    sms_sent: int = 0
    sms_received: int = 0

    def add(self, other: "UsageDay") -> None:
        """Sum up."""
        self.sent += other.sent
        self.received += other.received
        self.sms_sent += other.sms_sent
        self.sms_received += other.sms_received


@dataclass(slots=True)
class UsageBook:
    """What was booked since the sandbox began: ICCID → day (proleptic ordinal) → volumes."""

    days: dict[str, dict[int, UsageDay]] = field(default_factory=dict)
    monthly: dict[str, UsageDay] = field(default_factory=dict)

    def booked(self, iccid: str, day: date) -> UsageDay | None:
        """What was booked for the day, if anything."""
        return self.days.get(iccid, {}).get(day.toordinal())

    def book(self, iccid: str, day: date, volumes: UsageDay) -> None:
        """Add to the day and to the organisation's month."""
        self.days.setdefault(iccid, {}).setdefault(day.toordinal(), UsageDay()).add(volumes)
        self.monthly.setdefault(f"{day:%Y-%m}", UsageDay()).add(volumes)

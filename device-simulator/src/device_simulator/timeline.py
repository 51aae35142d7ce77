"""When readings are measured: now, or in simulated time that begins in the past and runs faster."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from device_simulator.errors import CannotStart


@dataclass(frozen=True, slots=True)
class Timeline:
    """The simulated time of a run. `start` None: the present; `speed`: simulated seconds a real second.

    Simulated moments follow from the number of readings alone, so a run can be repeated to the byte.
    """

    start: datetime | None = None
    speed: float = 1

    @classmethod
    def beginning(cls, start: str | None, speed: float) -> "Timeline":
        """From a moment (RFC 3339, UTC without an offset) or `-14d`, `-36h`. Raises CannotStart."""
        if start is None:
            if speed != 1:
                raise CannotStart("--speed needs --start: only the past can be made up for")
            return cls()
        moment = _moment(start)
        if moment >= datetime.now(UTC):
            raise CannotStart("--start must be in the past")
        return cls(moment, speed)

    @property
    def simulated(self) -> bool:
        """Whether readings get moments of the past."""
        return self.start is not None

    def step(self, rate: float) -> float:
        """Simulated seconds between two readings of a device."""
        return self.speed / rate

    def moments(self, first: int, count: int, step: float) -> list[datetime]:
        """When `count` readings are measured, of which the first is the device's reading `first` (from 0)."""
        if self.start is None:
            wall = datetime.now(UTC)
            return [wall - timedelta(seconds=step * left) for left in reversed(range(count))]
        return [self.start + timedelta(seconds=step * (first + number + 1)) for number in range(count)]

    def messages(self, wanted: int | None, batch: int, rate: float) -> int | None:
        """Messages until the simulated time has caught up with the present, at most `wanted`."""
        if self.start is None:
            return wanted
        past = (datetime.now(UTC) - self.start).total_seconds()
        most = int(past / (self.step(rate) * batch))
        return most if wanted is None else min(wanted, most)


PRESENT = Timeline()
"""Nothing simulated."""


def _moment(value: str) -> datetime:
    units = {"d": "days", "h": "hours", "m": "minutes"}
    try:
        if value.startswith("-") and value[-1] in units:
            return datetime.now(UTC) - timedelta(**{units[value[-1]]: float(value[1:-1])})
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise CannotStart(f"--start {value} is neither 2026-11-01T00:00:00Z nor like -14d") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

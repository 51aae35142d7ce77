"""Whether a worker's jobs succeed, as a check of its health."""

from collections.abc import Awaitable, Callable

from fleet_kit.health import Degraded

FAILURES_IN_A_ROW = 3
"""A job that fails so often is not waiting for a server that restarts."""


class JobHealth:
    """Counts the failures in a row of each job."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, str]] = {}

    def watched(self, name: str, job: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        """The job, whose outcome is noted."""

        async def once() -> None:
            try:
                await job()
            except Exception as error:
                self._failures[name] = self._failures.get(name, (0, ""))[0] + 1, type(error).__name__
                raise
            self._failures.pop(name, None)

        return once

    async def check(self) -> None:
        """Raise Degraded while a job fails round after round; a restart would not help."""
        failing = [
            f"{name} ({reason}, {number} times)"
            for name, (number, reason) in sorted(self._failures.items())
            if number >= FAILURES_IN_A_ROW
        ]
        if failing:
            raise Degraded(f"failing: {', '.join(failing)}")

"""What became of every reading: the counts, and the file with one line for each."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fleet_contracts.telemetry import Reading, format_ts


@dataclass(slots=True)
class Counts:
    """Readings by fate. `attempted` includes those still on their way."""

    attempted: int = 0
    accepted: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return f"attempted {self.attempted} / accepted {self.accepted} / failed {self.failed}"


class Ledger:
    """Counts readings and writes each to the file as soon as its fate is known.

    A line goes to the operating system in one write before the next message is looked at, so a crash of
    this process loses no decision. Without a path only the counts are kept. `on_accepted` hears of every
    accepted reading once.
    """

    def __init__(
        self, path: Path | None, on_accepted: Callable[[str, list[Reading]], None] | None = None
    ) -> None:
        self.counts = Counts()
        self._on_accepted = on_accepted
        self._path = path
        self._file: int | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def attempted(self, readings: int) -> None:
        """So many readings have been made and will be sent."""
        self.counts.attempted += readings

    def decided(self, device_id: str, readings: Iterable[Reading], *, accepted: bool) -> None:
        """These readings were accepted, or given up."""
        readings = list(readings)
        lines = [_line(device_id, reading, accepted) for reading in readings]
        if accepted:
            self.counts.accepted += len(lines)
        else:
            self.counts.failed += len(lines)
        if self._file is not None:
            _write_all(self._file, "".join(lines).encode())
        if accepted and self._on_accepted is not None:
            self._on_accepted(device_id, readings)


def _line(device_id: str, reading: Reading, accepted: bool) -> str:
    entry = {"id": reading.id, "device_id": device_id, "ts": format_ts(reading.ts), "accepted": accepted}
    return json.dumps(entry, separators=(",", ":")) + "\n"


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]

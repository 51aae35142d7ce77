"""What is shown while it runs, and what is said when it cannot."""

import asyncio
import io
import logging
import sys

import pytest

from device_simulator import progress
from device_simulator.cli import main
from device_simulator.ledger import Counts


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def shown_for(seconds: float, counts: Counts, total: int | None) -> None:
    task = asyncio.create_task(progress.show(counts, total))
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_terminal_gets_a_bar_with_rate_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    counts = Counts(attempted=30, accepted=20, failed=3)
    await shown_for(0.3, counts, 100)

    assert "20/100" in terminal.getvalue()
    assert "waiting=7" in terminal.getvalue()
    assert "failed=3" in terminal.getvalue()


async def test_anything_else_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    with caplog.at_level(logging.INFO):
        await shown_for(0.2, Counts(attempted=2, accepted=1), None)

    assert "attempted 2 / accepted 1 / failed 0" in caplog.messages


def test_a_missing_configuration_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["device-simulator", "--config", "absent.yaml"])

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "absent.yaml cannot be used" in capsys.readouterr().err

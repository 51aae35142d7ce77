"""Shows how the run goes: a bar on a terminal, a line a minute anywhere else."""

import asyncio
import logging
import sys
from typing import Never

from tqdm import tqdm

from device_simulator.ledger import Counts

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.2
LINE_SECONDS = 60.0


async def show(counts: Counts, total: int | None) -> None:
    """Show until cancelled; `total` readings are expected, None where the run has no end."""
    await (_bar(counts, total) if sys.stderr.isatty() else _lines(counts))


async def _bar(counts: Counts, total: int | None) -> None:
    with tqdm(total=total, unit=" readings", desc="accepted", smoothing=0.1, dynamic_ncols=True) as bar:
        try:
            while True:
                _refresh(bar, counts)
                await asyncio.sleep(REFRESH_SECONDS)
        finally:
            _refresh(bar, counts)


def _refresh(bar: "tqdm[Never]", counts: Counts) -> None:
    waiting = counts.attempted - counts.accepted - counts.failed
    bar.set_postfix(waiting=waiting, failed=counts.failed, refresh=False)
    bar.update(counts.accepted - bar.n)


async def _lines(counts: Counts) -> None:
    while True:
        await asyncio.sleep(LINE_SECONDS)
        log.info("%s", counts)

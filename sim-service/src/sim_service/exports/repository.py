"""Queries of exports: page after page in transactions of their own, so that a slow reader holds none."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import RowMapping

from fleet_kit.database import Sessions
from fleet_kit.scope import Scope
from sim_service.exports.columns import COLUMNS
from sim_service.sims.repository import SimFilter, SimRepository

_BATCH = 1000


class ExportRepository:
    """Exports of one organisation's SIMs, or of all with EVERYTHING."""

    def __init__(self, sessions: Sessions, scope: Scope) -> None:
        self._sessions, self._scope = sessions, scope

    async def batches(self, wanted: SimFilter) -> AsyncIterator[Sequence[RowMapping]]:
        """Every SIM that passes the filter once, by ICCID; COLUMNS of each."""
        after = ""
        while True:
            async with self._sessions() as session:
                sims = SimRepository(session, self._scope)
                batch = await sims.columns(COLUMNS, wanted, after=after, limit=_BATCH)
            if not batch:
                return
            yield batch
            after = batch[-1]["iccid"]


def plain(row: RowMapping) -> dict[str, Any]:
    """The row as a dictionary in the order of COLUMNS."""
    return {name: row[name] for name in COLUMNS}

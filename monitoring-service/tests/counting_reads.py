"""How many documents reads of the store answer with."""

from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorCursor

from monitoring_service.store.reads import MOST_ROWS, PlainReads, Query


class CountingReads(PlainReads):
    """Counts the documents that each query answers with, none of more than MOST_ROWS."""

    def __init__(self, *, exhausted: bool = False) -> None:
        self.sizes: list[int] = []
        self._exhausted = exhausted

    @property
    def exhausted(self) -> bool:
        return self._exhausted

    async def rows(self, query: Query, most: int) -> list[dict[str, Any]]:
        assert most <= MOST_ROWS
        found = await super().rows(query, most)
        self.sizes.append(len(found))
        return found


def record_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many documents each query from now on takes from the store, whoever asks."""
    taken: list[int] = []
    to_list = AsyncIOMotorCursor.to_list

    async def counted(cursor: Any, length: int | None) -> list[Any]:
        found: list[Any] = await to_list(cursor, length)
        taken.append(len(found))
        return found

    monkeypatch.setattr(AsyncIOMotorCursor, "to_list", counted)
    return taken

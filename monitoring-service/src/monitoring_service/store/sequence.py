"""The order of everything that is stored, such that a reader never misses what another worker commits late.

A sequence number is a hybrid logical clock: microseconds since 1970 by the store's clock, never going back.
A worker takes a block of numbers and is registered with it in the same step; it takes itself off after the
documents are stored. Readers go no further than the number before the oldest open block. The block of a
worker that died is closed by another one when its lease is over, which is longer than any write may take.

The same document counts what was stored, per organisation and minute, in the step that closes a block: the
counts are exact whatever dies when.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson.int64 import Int64
from pymongo import ReturnDocument

from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import PlainReads, Reads

KEY = "sequence"
LEASE_SECONDS = 15
"""Longer than the write time-out, so that nothing can arrive in a block that was closed for its worker."""
MAX_START_DELAY_SECONDS = 3.0
"""Longest time from taking a block to its insert: with the write time-out, less than the lease."""
MINUTE = 60_000_000
"""StorageSequence numbers in a minute."""

_SERVER_NOW = {"$multiply": [{"$toLong": "$$NOW"}, Int64(1000)]}


@dataclass(frozen=True, slots=True)
class Block:
    """Numbers `start` to `end`, both included, registered until closed."""

    start: int
    end: int
    organizations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The sequence at one moment. `recent` counts the newest readings by organisation and minute."""

    last: int = 0
    blocks: tuple[Block, ...] = ()
    recent: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    @property
    def stable(self) -> int:
        """Nothing will ever be stored at or below this number any more."""
        return min((block.start for block in self.blocks), default=self.last + 1) - 1


class StorageSequence:
    """Takes and closes blocks, and tells how far readers may go."""

    def __init__(self, store: Store) -> None:
        self._store, self._document = store, store.sequence

    async def begin(self, size: int, organizations: Iterable[str]) -> Block:
        """Take `size` numbers for documents of these organisations."""
        names = list(organizations)
        block = {
            "start": "$start",
            "end": "$last",
            "until": {"$add": ["$$NOW", LEASE_SECONDS * 1000]},
            "organizations": {"$literal": names},
        }
        after = {"$add": [{"$ifNull": ["$last", Int64(0)]}, Int64(1)]}
        document: Document | None = await self._document.find_one_and_update(
            {"_id": KEY},
            [
                {"$set": {"start": {"$max": [after, _SERVER_NOW]}}},
                {"$set": {"last": {"$add": ["$start", Int64(size - 1)]}}},
                {"$set": {"blocks": {"$concatArrays": [{"$ifNull": ["$blocks", []]}, [block]]}}},
            ],
            projection={"start": 1},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert document is not None
        start = int(document["start"])
        return Block(start, start + size - 1, tuple(names))

    async def close(self, block: Block, stored: Mapping[str, int]) -> bool:
        """Let readers pass the block and count what it stored; False where another has closed it already."""
        minute = block.start // MINUTE
        change: Document = {"$pull": {"blocks": {"start": block.start}}}
        counts = {f"recent.{name}.{minute}": number for name, number in stored.items() if number}
        if counts:
            change["$inc"] = counts
        result = await self._document.update_one({"_id": KEY, "blocks.start": block.start}, change)
        return result.matched_count == 1

    async def settle(self, block: Block) -> bool:
        """Close a block of which nobody knows how much was stored: count it."""
        stored = {}
        for name in block.organizations:
            span = {"$gte": Int64(block.start), "$lte": Int64(block.end)}
            stored[name] = await self._store.readings.count_documents({"organization_id": name, "seq": span})
        return await self.close(block, stored)

    async def settle_expired(self) -> int:
        """Close the blocks of workers that died; how many there were."""
        # The server's clock decides; not every server knows it inside `$filter`, so it is compared here.
        now: list[Document] = [{"$match": {"_id": KEY}}, {"$project": {"blocks": 1, "now": "$$NOW"}}]
        blocks = [
            _block(raw)
            for document in await self._document.aggregate(now).to_list(1)
            for raw in document.get("blocks") or ()
            if raw["until"] < document["now"]
        ]
        settled = await asyncio.gather(*(self.settle(block) for block in blocks), return_exceptions=True)
        for outcome in settled:  # one that cannot be counted now does not hold the others
            if isinstance(outcome, BaseException):
                raise outcome
        return len(blocks)

    async def snapshot(self, reads: Reads | None = None) -> Snapshot:
        """The sequence as it is now; a request asks with its own `reads`."""
        found = await (reads or PlainReads()).rows(self._document.find({"_id": KEY}), 1)
        if not found:
            return Snapshot()
        document = found[0]
        return Snapshot(
            last=int(document["last"]),
            blocks=tuple(_block(raw) for raw in document.get("blocks", ())),
            recent={
                name: {int(minute): int(number) for minute, number in minutes.items()}
                for name, minutes in document.get("recent", {}).items()
            },
        )


def _block(raw: Mapping[str, Any]) -> Block:
    return Block(int(raw["start"]), int(raw["end"]), tuple(raw.get("organizations", ())))

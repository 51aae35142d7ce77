"""The order of everything that is stored, such that a reader never misses what another worker commits late.

A sequence number is a hybrid logical clock: microseconds since 1970 by the store's clock, never going back.
A worker takes a block of numbers and is registered with it in the same step; it takes itself off after the
documents are stored. Readers go no further than the number before the oldest open block.

The same document counts what was stored, per organisation and minute, in the step that closes a block. One
that is open when its lease is over is settled by another worker: counted in the store, and for a while
again, for a store that stood still carries out later what it was sent by clients that have given up since. So
counts are exact in the end, whatever dies when.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson.int64 import Int64
from pymongo import ReturnDocument

from monitoring_service.store.client import Document, Store
from monitoring_service.store.reads import PlainReads, Reads

log = structlog.get_logger(__name__)
KEY = "sequence"
LEASE_SECONDS = 15
"""Longer than the write time-out: by then its worker has closed the block, or knows no more than others."""
LATE = timedelta(minutes=10)
"""So long after its lease the store may still carry out an insert, and a block is counted again."""
MOST_SETTLED = 100
"""Blocks that are counted again: they are in the document that everybody reads."""
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
    """The sequence at one moment. `recent` counts the newest readings by organisation and minute.

    `unsure`: minutes of which the count may still change, though nobody waits for it.
    """

    last: int = 0
    blocks: tuple[Block, ...] = ()
    recent: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    unsure: frozenset[int] = frozenset()

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
        return await self._close(block, stored, {})

    async def _close(self, block: Block, stored: Mapping[str, int], more: Document) -> bool:
        change = {"$pull": {"blocks": {"start": block.start}}, **_counted(block, stored), **more}
        result = await self._document.update_one({"_id": KEY, "blocks.start": block.start}, change)
        return result.matched_count == 1

    async def stored(self, block: Block) -> dict[str, int]:
        """How many readings of the block are in the store, by organisation."""
        span = {"$gte": Int64(block.start), "$lte": Int64(block.end)}
        count = self._store.readings.count_documents
        return {name: await count({"organization_id": name, "seq": span}) for name in block.organizations}

    async def settle(self, block: Block, now: datetime) -> bool:
        """Close a block of which nobody knows how much was stored: count it, now and again later."""
        stored = await self.stored(block)
        again = {"at": now, "until": now + timedelta(seconds=LEASE_SECONDS)}
        settled = {"start": Int64(block.start), "end": Int64(block.end), "stored": stored, **again}
        return await self._close(block, stored, {"$push": {"settled": settled}} if stored else {})

    async def settle_expired(self) -> int:
        """Settle the blocks of workers that died, how many there were; count again those settled before."""
        # The server's clock decides; not every server knows it inside `$filter`, so it is compared here.
        shown = {"blocks": 1, "settled": 1, "now": "$$NOW"}
        found: list[Document] = await self._document.aggregate(
            [{"$match": {"_id": KEY}}, {"$project": shown}]
        ).to_list(1)
        if not found:
            return 0
        now, settled = found[0]["now"], found[0].get("settled") or []
        expired = [_block(raw) for raw in found[0].get("blocks") or () if raw["until"] < now]
        beyond = max(0, len(settled) - MOST_SETTLED)
        due = [raw for raw in settled[beyond:] if raw["until"] < now]
        outcomes = await asyncio.gather(
            *(self.settle(block, now) for block in expired),
            *(self._count_again(raw, now, is_last=True) for raw in settled[:beyond]),
            *(self._count_again(raw, now, is_last=now - raw["at"] > LATE) for raw in due),
            return_exceptions=True,
        )
        for outcome in outcomes:  # one that cannot be counted now does not hold the others
            if isinstance(outcome, BaseException):
                raise outcome
        return len(expired)

    async def _count_again(self, settled: Document, now: datetime, *, is_last: bool) -> None:
        """Count what a block has got since it was settled; the older it is, the later once more."""
        known: Mapping[str, int] = settled["stored"]
        block = Block(int(settled["start"]), int(settled["end"]), tuple(known))
        stored = await self.stored(block)
        more = {name: number - known[name] for name, number in stored.items()}
        if any(more.values()):
            log.warning("readings were stored or deleted after their block was settled", readings=more)
        # Whoever else has counted it meanwhile has changed `until`.
        mine = {"settled": {"$elemMatch": {"start": settled["start"], "until": settled["until"]}}}
        change: Document = {"$pull": {"settled": {"start": settled["start"]}}}
        if not is_last:
            until = now + (now - settled["at"])
            change = {"$set": {"settled.$.stored": stored, "settled.$.until": until}}
        await self._document.update_one({"_id": KEY, **mine}, change | _counted(block, more))

    async def snapshot(self, reads: Reads | None = None) -> Snapshot:
        """The sequence as it is now; a request asks with its own `reads`."""
        query = self._document.find({"_id": KEY}, {"settled.stored": 0})
        found = await (reads or PlainReads()).rows(query, 1)
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
            unsure=frozenset(int(raw["start"]) // MINUTE for raw in document.get("settled", ())),
        )


def _counted(block: Block, stored: Mapping[str, int]) -> Document:
    """The change that counts them, which are in the minute that the block starts in."""
    minute = block.start // MINUTE
    counts = {f"recent.{name}.{minute}": number for name, number in stored.items() if number}
    return {"$inc": counts} if counts else {}


def _block(raw: Mapping[str, Any]) -> Block:
    return Block(int(raw["start"]), int(raw["end"]), tuple(raw.get("organizations", ())))

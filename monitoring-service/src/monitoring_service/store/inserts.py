"""Inserting many documents such that each is stored once, whatever was stored before and whatever fails."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from bson.errors import InvalidDocument
from pymongo.errors import BulkWriteError, PyMongoError

from fleet_kit.consumer import DependencyUnavailable
from monitoring_service.store.client import Collection, Document

log = structlog.get_logger(__name__)
DUPLICATE = 11000
_PERMANENT = frozenset({2, 9, 14, 22, 52, 53, 57, 121, 10334, 17280})
"""Codes by which the store refuses a document for what it is: trying again would not help."""
_TRIES = 4


class StoreUnavailable(DependencyUnavailable):
    """The store did not take the write for now."""


@dataclass(slots=True)
class InsertResult:
    """What became of the documents of one insert. `refused` pairs a document with the store's reason."""

    stored: int = 0
    duplicates: list[Document] = field(default_factory=list)
    refused: list[tuple[Document, str]] = field(default_factory=list)


async def insert_once(
    collection: Collection, documents: Sequence[Document], *, deadline: float = math.inf
) -> InsertResult:
    """Insert the documents; those whose `_id` exists count as stored before. Raises StoreUnavailable.

    Only the part that failed is tried again, and no try starts after `deadline` (of the event loop's clock).
    Without a write-concern error an insert that returns is on disk at a majority.
    """
    result, left = InsertResult(), list(documents)
    for attempt in range(_TRIES):
        if attempt:
            await asyncio.sleep(0.05 * 2**attempt)
        if asyncio.get_running_loop().time() > deadline:
            break
        left = await _insert(collection, left, result)
        if not left:
            return result
    raise StoreUnavailable(f"{len(left)} documents were not taken")


async def _insert(collection: Collection, documents: list[Document], result: InsertResult) -> list[Document]:
    """One try; what has to be tried again."""
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return _sort(documents, dict(error.details), result)
    except (InvalidDocument, OverflowError) as error:
        if len(documents) == 1:
            result.refused.append((documents[0], str(error)[:200]))
            return []
        return await _each(collection, documents, result)
    except PyMongoError as error:
        raise StoreUnavailable(type(error).__name__) from error
    result.stored += len(documents)
    return []


async def _each(collection: Collection, documents: list[Document], result: InsertResult) -> list[Document]:
    """Half by half, to find the document that the driver cannot encode."""
    middle = len(documents) // 2
    left = await _insert(collection, documents[:middle], result)
    return left + await _insert(collection, documents[middle:], result)


def _sort(documents: list[Document], details: dict[str, Any], result: InsertResult) -> list[Document]:
    errors = details.get("writeErrors", [])
    again = []
    for error in errors:
        document = documents[error["index"]]
        if error.get("code") == DUPLICATE:
            result.duplicates.append(document)
        elif error.get("code") in _PERMANENT:
            result.refused.append((document, str(error.get("errmsg", ""))[:200]))
        else:
            again.append(document)
    if details.get("writeConcernErrors"):
        raise StoreUnavailable("the write was not confirmed by a majority")
    result.stored += len(documents) - len(errors)
    if again:
        log.warning("part of an insert failed", size=len(documents), again=len(again))
    return again

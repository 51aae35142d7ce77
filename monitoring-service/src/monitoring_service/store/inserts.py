"""Inserting many documents such that each is stored once, whatever was stored before and whatever fails."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from bson.errors import InvalidDocument
from pymongo import UpdateOne
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a document is not stored and never will be."""

    reason: str
    code: str = "REFUSED_BY_STORE"
    field: str = ""


@dataclass(slots=True)
class InsertResult:
    """What became of the documents of one insert. `refused` pairs a document with the reason."""

    stored: int = 0
    duplicates: list[Document] = field(default_factory=list)
    refused: list[tuple[Document, Refusal]] = field(default_factory=list)


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


async def update_each(collection: Collection, changes: Sequence[UpdateOne]) -> list[str]:
    """Make changes of single documents; the reasons of those that the store will never make.

    Raises StoreUnavailable or another error of the store where trying again may help.
    """
    try:
        await collection.bulk_write(list(changes), ordered=False)
    except BulkWriteError as error:
        errors = error.details.get("writeErrors", [])
        passing = [one for one in errors if one.get("code") not in _PERMANENT]
        if passing or error.details.get("writeConcernErrors"):
            raise
        return [str(one.get("errmsg", ""))[:200] for one in errors]
    except (InvalidDocument, OverflowError) as error:
        if len(changes) == 1:
            return [str(error)[:200]]
        middle = len(changes) // 2
        refused = await update_each(collection, changes[:middle])
        return refused + await update_each(collection, changes[middle:])
    return []


async def _insert(collection: Collection, documents: list[Document], result: InsertResult) -> list[Document]:
    """One try; what has to be tried again."""
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return _sort(documents, dict(error.details), result)
    except (InvalidDocument, OverflowError) as error:
        if len(documents) == 1:
            result.refused.append((documents[0], Refusal(str(error)[:200])))
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
            result.refused.append((document, Refusal(str(error.get("errmsg", ""))[:200])))
        else:
            again.append(document)
    if details.get("writeConcernErrors"):
        raise StoreUnavailable("the write was not confirmed by a majority")
    result.stored += len(documents) - len(errors)
    if again:
        log.warning("part of an insert failed", size=len(documents), again=len(again))
    return again

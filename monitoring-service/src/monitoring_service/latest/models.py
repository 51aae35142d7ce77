"""The document of a device's newest reading."""

from datetime import UTC, datetime

from pymongo import UpdateOne

from monitoring_service.store.client import Document
from monitoring_service.store.slots import slot_of

UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""`oldest_ts` of a device of which readings were stored before that was noted."""
Position = tuple[int, str]
"""Slot and id of a device: the order of lists."""
FIELDS = ("organization_id", "device_id", "id", "ts", "received_at", "metrics", "tags", "seq")


def is_newer(one: Document, other: Document) -> bool:
    """Newer by the time of measuring, then by the order of storing."""
    return (one["ts"], one["seq"]) > (other["ts"], other["seq"])


def replace_if_newer(reading: Document, oldest: datetime) -> UpdateOne:
    """Make it the device's latest unless a newer one is there: late data never overwrites.

    `oldest` is the earliest time of measuring since the last update; `oldest_ts` is the earliest of all.
    """
    document = {name: reading[name] for name in FIELDS if name in reading}
    document["slot"] = slot_of(reading["device_id"])
    newer = {
        "$or": [
            {"$gt": [document["ts"], {"$ifNull": ["$ts", None]}]},
            {"$and": [{"$eq": [document["ts"], "$ts"]}, {"$gte": [document["seq"], "$seq"]}]},
        ]
    }
    new = {"$literal": {"_id": reading["device_id"], **document}}
    known = {"$cond": [{"$gt": ["$ts", None]}, {"$ifNull": ["$oldest_ts", UNKNOWN]}, oldest]}
    kept = {"$cond": [newer, new, "$$ROOT"]}
    merged = {"$mergeObjects": [kept, {"oldest_ts": {"$min": [oldest, known]}}]}
    return UpdateOne({"_id": reading["device_id"]}, [{"$replaceWith": merged}], upsert=True)

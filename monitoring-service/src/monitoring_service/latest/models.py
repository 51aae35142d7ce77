"""The document of a device's newest reading."""

from pymongo import UpdateOne

from monitoring_service.store.client import Document

FIELDS = ("organization_id", "device_id", "id", "ts", "received_at", "metrics", "tags", "seq")


def is_newer(one: Document, other: Document) -> bool:
    """Newer by the time of measuring, then by the order of storing."""
    return (one["ts"], one["seq"]) > (other["ts"], other["seq"])


def replace_if_newer(reading: Document) -> UpdateOne:
    """Make it the device's latest unless a newer one is there: late data never overwrites."""
    document = {name: reading[name] for name in FIELDS if name in reading}
    newer = {
        "$or": [
            {"$gt": [document["ts"], {"$ifNull": ["$ts", None]}]},
            {"$and": [{"$eq": [document["ts"], "$ts"]}, {"$gte": [document["seq"], "$seq"]}]},
        ]
    }
    new = {"$literal": {"_id": reading["device_id"], **document}}
    return UpdateOne(
        {"_id": reading["device_id"]}, [{"$replaceWith": {"$cond": [newer, new, "$$ROOT"]}}], upsert=True
    )

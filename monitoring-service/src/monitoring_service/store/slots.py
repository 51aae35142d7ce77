"""An order of devices that is read in pieces: by slot, a number that spreads them evenly.

Ids cluster by the time at which they were made, so nobody knows how many lie between two of them; of slots
every piece of the same width holds about as many.
"""

from zlib import crc32

from pymongo import UpdateOne

from monitoring_service.store.client import Collection
from monitoring_service.store.scans import Field
from monitoring_service.store.windows import Windows

SLOTS = 2**32
SLOT = Field("slot")
_FIRST = SLOTS // 4096
_TOGETHER = 1000


def slot_of(device_id: str) -> int:
    """The slot of a device."""
    return crc32(device_id.encode())


def slot_windows(start: int, aim: int) -> Windows:
    """Pieces from that slot on."""
    return Windows(start, SLOTS, _FIRST, SLOTS, aim)


async def give_slots(*collections: Collection) -> None:
    """Add the slot to documents of an earlier version, whose `_id` is a device. Raises StoreError."""
    for collection in collections:
        while waiting := await collection.find({"slot": None}, {"_id": 1}).limit(_TOGETHER).to_list(None):
            changes = [
                UpdateOne({"_id": row["_id"], "slot": None}, {"$set": {"slot": slot_of(row["_id"])}})
                for row in waiting
            ]
            await collection.bulk_write(changes, ordered=False)

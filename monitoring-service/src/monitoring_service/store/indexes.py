"""Indexes and collections; made before anything is stored, changed by nobody else."""

from datetime import timedelta

from monitoring_service.store.client import Collection, Store

READINGS_BY_DEVICE = [("device_id", 1), ("ts", 1)]
READINGS_BY_ORGANIZATION = [("organization_id", 1), ("seq", 1)]
HOURLY_BY_HOUR = [("hour", 1), ("_id", 1)]
DELETED_DEVICES = [("deleted", 1), ("changed_at", 1)]

OLD_BY_ORGANIZATION = "organization_id_1"
"""An index of earlier versions, which would be chosen before the better one."""


async def ensure_indexes(store: Store, *, live_retention: timedelta, rejected_retention: timedelta) -> None:
    """Create what is missing; run twice, it changes nothing.

    Readings have two secondary indexes and no more: each costs about a fifth of the insert rate.
    """
    await store.readings.create_index(READINGS_BY_DEVICE)
    await store.readings.create_index(READINGS_BY_ORGANIZATION)
    await store.events.create_index(READINGS_BY_ORGANIZATION)
    await store.events.create_index([("seq", 1)])
    await store.hourly.create_index([("organization_id", 1), ("hour", 1)])
    await store.hourly.create_index(HOURLY_BY_HOUR)
    for devices in (store.latest, store.devices):
        await devices.create_index([("organization_id", 1), ("slot", 1)])
        await devices.create_index([("slot", 1)])
        if OLD_BY_ORGANIZATION in await devices.index_information():
            await devices.drop_index(OLD_BY_ORGANIZATION)
    await store.devices.create_index([("iccid", 1)])
    await store.devices.create_index(DELETED_DEVICES)
    await store.alerts.create_index([("organization_id", 1), ("state", 1)])
    await store.rejected.create_index([("organization_id", 1), ("received_at", 1)])
    await store.rejected.create_index([("device_id", 1), ("received_at", 1)])
    await store.rejected_hourly.create_index([("organization_id", 1), ("hour", 1)])
    await store.rejected_hourly.create_index([("hour", 1)])
    await _expire(store.events, "stored_at", live_retention)
    await _expire(store.rejected, "received_at", rejected_retention)
    await _expire(store.rejected_hourly, "at", rejected_retention + timedelta(hours=2))


async def _expire(collection: Collection, field: str, age: timedelta) -> None:
    """Have the store delete documents older than `age`, also when the age was another one before."""
    name, seconds = f"{field}_ttl", int(age.total_seconds())
    existing = (await collection.index_information()).get(name)
    if existing is not None and existing.get("expireAfterSeconds") != seconds:
        await collection.drop_index(name)
    await collection.create_index([(field, 1)], name=name, expireAfterSeconds=seconds)

"""What stays of a deleted device, and for how long."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from monitoring_service.latest.service import DeletedDevices
from monitoring_service.store.client import Store

from .conftest import Fleet, deleted, registered

LONG_AGO = {"$set": {"changed_at": datetime.now(UTC) - timedelta(days=91)}}


async def test_devices_deleted_long_ago_are_forgotten_with_what_they_sent_last(
    fleet: Fleet, store: Store
) -> None:
    gone, young, living = uuid4(), uuid4(), uuid4()
    for device in (gone, young, living):
        await fleet.tell(registered(device, fleet.organization))
        await fleet.readings(str(device), 1.0)
    await fleet.worker.checkpoint.advance()
    for device in (gone, young):
        await fleet.tell(deleted(device, fleet.organization))
    for device in (gone, living):
        await store.devices.update_one({"_id": str(device)}, LONG_AGO)
    assert await fleet.worker.deleted_devices.sweep() == 1
    assert await fleet.worker.deleted_devices.sweep() == 0
    kept = {str(young), str(living)}
    for collection in (store.devices, store.latest):
        assert {row["_id"] async for row in collection.find({}, {"_id": 1})} == kept


async def test_any_number_of_deleted_devices_is_forgotten_in_bounded_steps(
    fleet: Fleet, store: Store
) -> None:
    await fleet.tell(*(deleted(uuid4(), fleet.organization) for _ in range(120)))
    await store.devices.update_many({}, LONG_AGO)
    assert await DeletedDevices(store, timedelta(days=90)).sweep() == 120
    assert await store.devices.count_documents({}) == 0

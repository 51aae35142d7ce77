"""VolumePublisher that devices report: whole hours, told of again only when they grew."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from fleet_contracts.events import DeviceVolume, FleetEvent, TelemetryVolume
from fleet_kit.messaging import PublishFailed
from monitoring_service.store.client import Store
from monitoring_service.volumes.service import MAX_HOURS, VolumePublisher

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)


class Heard:
    """A publisher that keeps what it is given, or fails."""

    def __init__(self) -> None:
        self.events: list[FleetEvent] = []
        self.away = False

    async def publish_event(self, event: FleetEvent) -> None:
        if self.away:
            raise PublishFailed("away")
        self.events.append(event)

    def volumes(self) -> Sequence[DeviceVolume]:
        told = [event for event in self.events if isinstance(event, TelemetryVolume)]
        self.events.clear()
        return [volume for event in told for volume in event.data.volumes]


def reading(name: str, moment: datetime, value: Any, **more: float) -> dict[str, Any]:
    metrics = {**({} if value is None else {"data_bytes": value}), **more}
    return {"id": name, "ts": moment.isoformat(), "metrics": metrics}


@pytest.fixture
def publisher() -> Heard:
    return Heard()


@pytest.fixture
def volumes(fleet: Any, store: Store, publisher: Heard) -> VolumePublisher:
    """The worker's volumes with a publisher of the test's own."""
    made = VolumePublisher(store, publisher, gather=0)  # type: ignore[arg-type]
    writer = fleet.worker.consumers["consume telemetry"].handler._writer
    writer._listeners = (*writer._listeners, made.on_stored)
    return made


async def test_an_hour_is_told_of_whole_and_again_only_when_it_grew(
    fleet: Any, message: Any, volumes: VolumePublisher, publisher: Heard
) -> None:
    device = await fleet.device()
    first = [reading("a", HOUR, 1000), reading("b", HOUR + timedelta(minutes=59), 500)]
    await fleet.store(message(*first, reading("c", HOUR + timedelta(hours=1), 7), device=device))
    await volumes.publish_due()
    assert {(one.hour, one.data_bytes) for one in publisher.volumes()} == {
        (HOUR, 1500),
        (HOUR + timedelta(hours=1), 7),
    }
    await volumes.publish_due()
    assert publisher.volumes() == []
    await fleet.store(message(*first, device=device), message(reading("d", HOUR, 5), device=device))
    await volumes.publish_due()
    assert [(str(one.id), one.data_bytes) for one in publisher.volumes()] == [(device, 1505)]


async def test_only_volumes_count_and_negative_ones_as_nothing(
    fleet: Any, message: Any, volumes: VolumePublisher, publisher: Heard
) -> None:
    silent, odd = await fleet.device(), await fleet.device()
    await fleet.store(message(reading("a", HOUR, None, temperature=20), device=silent))
    readings = [reading("a", HOUR, -50), reading("b", HOUR, 0.6), reading("c", HOUR, None, temperature=1)]
    await fleet.store(message(*readings, device=odd))
    await volumes.publish_due()
    assert [(str(one.id), one.data_bytes) for one in publisher.volumes()] == [(odd, 1)]


async def test_each_organisation_hears_of_its_own_devices(
    fleet: Any, message: Any, volumes: VolumePublisher, publisher: Heard
) -> None:
    other = uuid4()
    mine, theirs = await fleet.device(), await fleet.device(other)
    for device in (mine, theirs):
        await fleet.store(message(reading("a", HOUR, 10), device=device))
    await volumes.publish_due()
    owners = {event.organizationid: event.data.volumes for event in publisher.events}
    assert {owner: [str(one.id) for one in told] for owner, told in owners.items()} == {
        fleet.organization: [mine],
        other: [theirs],
    }


async def test_a_round_is_bounded_and_what_is_not_published_waits(
    fleet: Any, message: Any, volumes: VolumePublisher, publisher: Heard
) -> None:
    device = await fleet.device()
    hours = [HOUR - timedelta(hours=number) for number in range(MAX_HOURS + 10)]
    await fleet.store(message(*(reading(f"r{n}", hour, 1) for n, hour in enumerate(hours)), device=device))
    publisher.away = True
    with pytest.raises(PublishFailed):
        await volumes.publish_due()
    publisher.away = False
    await volumes.publish_due()
    assert len(publisher.volumes()) == MAX_HOURS
    await volumes.publish_due()
    assert len(publisher.volumes()) == 10


async def test_a_new_worker_tells_what_one_that_died_had_not(
    fleet: Any, message: Any, store: Store, publisher: Heard
) -> None:
    device = await fleet.device()
    await fleet.store(message(reading("a", HOUR, 10), device=device))
    await fleet.worker.checkpoint.advance()
    await VolumePublisher(store, publisher, gather=0).publish_due()  # type: ignore[arg-type]
    assert (HOUR, 10) in {(one.hour, one.data_bytes) for one in publisher.volumes()}

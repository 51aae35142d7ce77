"""VolumePublisher that devices report: whole hours, told of again only when they grew."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from fleet_contracts.events import MAX_VOLUME_BYTES, DeviceVolume, FleetEvent, TelemetryVolume
from fleet_kit.health import Degraded
from fleet_kit.messaging import PublishFailed
from monitoring_service.readings.checkpoint import ProjectionCheckpoint
from monitoring_service.store.client import Store
from monitoring_service.volumes.repository import VolumeRepository
from monitoring_service.volumes.service import MAX_HOURS, MAX_TRIES, VolumePublisher
from monitoring_service.volumes.waiting import WaitingHours

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


async def test_what_is_not_published_waits_for_the_next_round(
    fleet: Any, message: Any, volumes: VolumePublisher, publisher: Heard
) -> None:
    device, number = await fleet.device(), MAX_HOURS + 10
    hours = [HOUR - timedelta(hours=ago) for ago in range(number)]
    await fleet.store(message(*(reading(f"r{n}", hour, 1) for n, hour in enumerate(hours)), device=device))
    publisher.away = True
    with pytest.raises(PublishFailed):
        await volumes.publish_due()
    publisher.away = False
    await volumes.publish_due()
    assert len(publisher.volumes()) == number


async def test_an_hour_of_another_organisation_waits_behind_few_of_one_that_has_thousands() -> None:
    waiting = WaitingHours()
    for ago in range(5000):
        assert waiting.add(("greedy", "d", HOUR - timedelta(hours=ago)), 0)
    for device in range(3):
        assert waiting.add(("modest", str(device), HOUR), 0)
    taken = waiting.take(1, MAX_HOURS)
    assert [key for key in taken if key[0] == "modest"] == [("modest", str(one), HOUR) for one in range(3)]
    assert len(taken) == MAX_HOURS
    waiting.put_back(taken, 1)
    again = waiting.take(1, 5100)
    assert len(again) == len(set(again)) == 5003
    assert not waiting.take(1, 1)


async def test_an_hour_that_grew_while_it_was_taken_is_put_back_as_due_and_holds_no_other() -> None:
    waiting, hours = WaitingHours(), [("o", "d", HOUR - timedelta(hours=ago)) for ago in range(3)]
    for hour in hours[:2]:
        assert waiting.add(hour, 0)
    assert waiting.take(1, 1) == hours[:1]
    assert waiting.add(hours[0], 300)
    assert waiting.add(hours[2], 300)
    waiting.put_back(hours[:1], 1)
    assert waiting.take(1, 9) == hours[:2]
    assert waiting.take(300, 9) == hours[2:]


async def test_hours_of_one_organisation_that_wait_are_bounded_and_others_find_room() -> None:
    waiting = WaitingHours(most_each=2)
    hours = [HOUR - timedelta(hours=ago) for ago in range(3)]
    assert [waiting.add(("greedy", "d", hour), 0) for hour in hours] == [True, True, False]
    assert waiting.add(("greedy", "d", hours[0]), 0), "it waits already"
    assert waiting.add(("modest", "d", HOUR), 0)
    assert waiting.take(-1, 9) == []


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([1.7e308, 1.6e308], MAX_VOLUME_BYTES),
        ([1e19, -1e308], MAX_VOLUME_BYTES),
        ([2**53] * 3000, MAX_VOLUME_BYTES),
        ([-1.7e308, -1.7e308, 5], 5),
        ([2**53 - 1], 2**53 - 1),
        ([-1], 0),
    ],
)
async def test_whatever_a_device_reports_its_volume_is_one_that_the_contract_allows(
    fleet: Any, message: Any, volumes: VolumePublisher, publisher: Heard, values: list[Any], total: int
) -> None:
    device, neighbour = await fleet.device(), await fleet.device(uuid4())
    readings = [reading(f"r{n}", HOUR + timedelta(milliseconds=n), value) for n, value in enumerate(values)]
    for start in range(0, len(readings), 1000):
        await fleet.store(message(*readings[start : start + 1000], device=device))
    await fleet.store(message(reading("a", HOUR, 2000), device=neighbour))
    await volumes.publish_due()
    assert {str(one.id): one.data_bytes for one in publisher.volumes()} == {device: total, neighbour: 2000}


async def test_an_hour_that_fails_is_set_aside_and_told_and_holds_no_other(
    fleet: Any, message: Any, volumes: VolumePublisher, publisher: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, neighbour = await fleet.device(), await fleet.device(uuid4())
    tries, bytes_in_hour = [], VolumeRepository.bytes_in_hour

    async def failing(self: VolumeRepository, device_id: str, hour: datetime) -> int | None:
        if device_id == broken:
            tries.append(hour)
            raise OperationFailure("this one never works")
        return await bytes_in_hour(self, device_id, hour)

    monkeypatch.setattr(VolumeRepository, "bytes_in_hour", failing)
    await fleet.store(message(reading("a", HOUR, 1), device=broken))
    await fleet.store(message(reading("a", HOUR, 2000), device=neighbour))
    await volumes.check()
    await volumes.publish_due()
    assert [(str(one.id), one.data_bytes) for one in publisher.volumes()] == [(neighbour, 2000)]
    assert len(tries) == MAX_TRIES
    with pytest.raises(Degraded):
        await volumes.check()


async def test_a_store_that_is_away_costs_no_hour(
    fleet: Any, message: Any, volumes: VolumePublisher, publisher: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await fleet.device()
    await fleet.store(message(reading("a", HOUR, 7), device=device))

    async def away(*_: Any) -> Any:
        raise AutoReconnect("away")

    monkeypatch.setattr(VolumeRepository, "bytes_in_hour", away)
    monkeypatch.setattr(Store, "check", away)
    for _ in range(2 * MAX_TRIES):
        with pytest.raises(AutoReconnect):
            await volumes.publish_due()
    monkeypatch.undo()
    await volumes.publish_due()
    assert [one.data_bytes for one in publisher.volumes()] == [7]
    await volumes.check()


async def test_a_new_worker_tells_what_one_that_died_had_not(
    fleet: Any, message: Any, store: Store, publisher: Heard
) -> None:
    device, writer = await fleet.device(), fleet.worker.consumers["consume telemetry"].handler._writer
    late = HOUR - timedelta(days=5)
    await fleet.store(message(reading("a", HOUR, 10), reading("b", late, 20), device=device))
    newest = reading("c", HOUR + timedelta(hours=2), None, temperature=20)
    await fleet.store(message(newest, device=device))
    await fleet.worker.checkpoint.advance()
    new = VolumePublisher(store, publisher, gather=300)  # type: ignore[arg-type]
    seen: list[Any] = []
    checkpoint = ProjectionCheckpoint(
        store,
        fleet.worker.sequence,
        writer,
        (seen.extend,),
        (),
        late=(new.on_recovered,),
        late_seconds=300,
    )
    assert await checkpoint.replay() == 0
    assert seen == [], "what the projections have is not projected again"
    await checkpoint.recover_late()
    await new.publish_due()
    assert {(one.hour, one.data_bytes) for one in publisher.volumes()} == {(HOUR, 10), (late, 20)}

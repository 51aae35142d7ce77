from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from device_service.consumers import EventsConsumer
from device_service.presence import service
from device_service.presence.service import PresenceService
from fleet_contracts.events import (
    DeviceSeen,
    PresenceData,
    TelemetryPresence,
    encode_event,
)
from fleet_kit.consumer import DependencyUnavailable
from fleet_kit.failure_router import RejectNow
from fleet_kit.health import Degraded

from .conftest import Handle, Organization
from .support import outbox_of, outbox_types, path_of


def heard(organization_id: UUID, *devices: dict[str, Any], ago: float = 0) -> TelemetryPresence:
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    seen = [DeviceSeen(id=UUID(device["id"]), last_seen=moment) for device in devices]
    return TelemetryPresence(
        source="test", subject="presence", organizationid=organization_id, data=PresenceData(devices=seen)
    )


def watermark(*, ago: float = 0) -> TelemetryPresence:
    """Monitoring-service knew then of everything that had been sent."""
    data = PresenceData(devices=[], watermark=datetime.now(UTC) - timedelta(seconds=ago))
    return TelemetryPresence(source="test", subject="watermark", organizationid=UUID(int=0), data=data)


async def status_of(organization: Organization, device: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = (await organization.viewer.get(path_of(device, "/status"))).json()
    return body


async def test_new_device_was_never_seen(organization: Organization) -> None:
    made = await organization.make_device()
    assert await status_of(organization, made) == {
        "id": made["id"],
        "status": "never_seen",
        "last_seen": None,
    }


async def test_heard_device_is_online_and_everybody_is_told_once(
    app: FastAPI, organization: Organization, handle: Handle
) -> None:
    made, silent = await organization.make_device(), await organization.make_device()
    # The cached copy must not outlive the change.
    assert (await organization.viewer.get(path_of(made))).json()["status"] == "never_seen"
    event = heard(organization.id, made)
    for _ in range(3):
        assert await handle(event, event) == []
    status = await status_of(organization, made)
    assert status["status"] == "online"
    assert status["last_seen"].endswith("Z")
    device = (await organization.viewer.get(path_of(made))).json()
    assert (device["status"], device["version"]) == ("online", 1)
    assert await outbox_types(app, made["id"]) == ["device.registered", "device.status_changed"]
    told = (await outbox_of(app, made["id"]))[-1]
    assert told["data"] == {"id": made["id"], "status": "online", "last_seen": status["last_seen"]}
    assert told["organizationid"] == str(organization.id)
    assert (await status_of(organization, silent))["status"] == "never_seen"


async def test_late_sighting_never_moves_last_seen_back(organization: Organization, handle: Handle) -> None:
    made = await organization.make_device()
    await handle(heard(organization.id, made, ago=1))
    newest = (await status_of(organization, made))["last_seen"]
    await handle(heard(organization.id, made, ago=600), heard(organization.id, made, ago=30))
    status = await status_of(organization, made)
    assert (status["status"], status["last_seen"]) == ("online", newest)


async def test_device_heard_long_ago_is_offline_not_online(
    organization: Organization, handle: Handle
) -> None:
    made = await organization.make_device()
    await handle(heard(organization.id, made, ago=600))
    assert (await status_of(organization, made))["status"] == "offline"


async def test_silent_device_goes_offline_and_comes_back(
    app: FastAPI, organization: Organization, handle: Handle, presence: PresenceService
) -> None:
    made = await organization.make_device()
    await handle(heard(organization.id, made, ago=50), watermark())
    assert (await organization.viewer.get(path_of(made))).json()["status"] == "online"
    await presence.sweep()
    assert (await status_of(organization, made))["status"] == "online"
    short = PresenceService(app.state.sessions, app.state.caches, offline_after_seconds=30)
    await short.record({}, datetime.now(UTC))
    assert await short.sweep() >= 1
    assert (await organization.viewer.get(path_of(made))).json()["status"] == "offline"
    await presence.sweep()
    await handle(heard(organization.id, made))
    statuses = [event["data"].get("status") for event in await outbox_of(app, made["id"])]
    assert statuses == [None, "online", "offline", "online"]


async def test_silence_counts_only_as_far_as_monitoring_service_can_tell(
    app: FastAPI, organization: Organization, handle: Handle, presence: PresenceService
) -> None:
    """As in an outage: what was sent 100 s ago and later waits, and is told of little by little."""
    made = await organization.make_device()
    await handle(heard(organization.id, made, ago=100), watermark(ago=100))
    for ago in (99, 45):
        await presence.sweep()
        assert (await status_of(organization, made))["status"] == "online"
        await handle(watermark(ago=ago))
    await handle(watermark(ago=30))
    await presence.sweep()
    assert (await status_of(organization, made))["status"] == "offline"
    statuses = [event["data"].get("status") for event in await outbox_of(app, made["id"])]
    assert statuses == [None, "online", "offline"]


async def test_before_anything_is_known_of_the_others_no_silence_counts(
    app: FastAPI, organization: Organization, handle: Handle
) -> None:
    """As after a restart of this service; what a device sent before is no proof of its silence, either."""
    made = await organization.make_device()
    await handle(heard(organization.id, made, ago=100), watermark(ago=100))
    restarted = PresenceService(app.state.sessions, app.state.caches, offline_after_seconds=60)
    assert await restarted.sweep() == 0
    sighting = datetime.now(UTC) - timedelta(seconds=90)
    assert await restarted.record({(organization.id, UUID(made["id"])): sighting}) == []
    assert await restarted.sweep() == 0
    assert (await status_of(organization, made))["status"] == "online"


async def test_the_newest_watermark_counts_and_none_that_is_ahead_of_the_time(
    app: FastAPI, organization: Organization, handle: Handle, presence: PresenceService
) -> None:
    silent, alive = await organization.make_device(), await organization.make_device()
    await handle(heard(organization.id, silent, ago=100), watermark(ago=100))
    await handle(heard(organization.id, alive, ago=5), watermark(ago=-3600), watermark(ago=3600))
    await handle(watermark(ago=3600))
    await presence.sweep()
    assert (await status_of(organization, silent))["status"] == "offline"
    assert (await status_of(organization, alive))["status"] == "online"


async def test_a_watermark_that_was_ahead_does_not_make_later_silence_count(
    organization: Organization, handle: Handle, presence: PresenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an hour later nothing has come since: not from the device, and not from who would tell."""
    alive = await organization.make_device()
    await handle(heard(organization.id, alive), watermark(ago=-3600))

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return super().now(tz) + timedelta(minutes=30)

    monkeypatch.setattr(service, "datetime", Later)
    assert await presence.sweep() == 0
    assert (await status_of(organization, alive))["status"] == "online"


async def test_people_are_told_when_nobody_could_go_offline_for_minutes(
    handle: Handle, presence: PresenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await presence.check()
    monkeypatch.setattr(presence, "_began", datetime.now(UTC) - service.WATERMARK_LATE)
    with pytest.raises(Degraded, match="no device goes offline"):
        await presence.check()
    await handle(watermark(ago=10))
    await presence.check()
    monkeypatch.setattr(service, "WATERMARK_LATE", timedelta(seconds=5))
    with pytest.raises(Degraded, match=r"for \d+ s monitoring-service has not told"):
        await presence.check()


async def test_sighting_counts_only_in_the_devices_own_organisation(
    organization: Organization, stranger: Organization, handle: Handle
) -> None:
    made = await organization.make_device()
    await handle(heard(stranger.id, made), heard(organization.id, {"id": str(uuid4())}))
    assert (await status_of(organization, made))["status"] == "never_seen"


async def test_thousand_devices_are_heard_at_once(
    app: FastAPI, organization: Organization, handle: Handle, presence: PresenceService
) -> None:
    statement = text(
        "INSERT INTO t_devices (id, organization_id, name, type, created_at, updated_at)"
        " SELECT gen_random_uuid(), :organization, 'bulk ' || n, 't', now(), now()"
        " FROM generate_series(1, 1100) n RETURNING id"
    )
    async with app.state.sessions.begin() as session:
        rows = (await session.scalars(statement, {"organization": organization.id})).all()
    await handle(heard(organization.id, *({"id": str(row)} for row in rows), ago=50))
    listed = await organization.viewer.get("/api/v1/devices/", params={"status": "online"})
    assert listed.json()["total"] == 1100
    short = PresenceService(app.state.sessions, app.state.caches, offline_after_seconds=40)
    await short.record({}, datetime.now(UTC))
    assert await short.sweep() >= 1100
    listed = await organization.viewer.get("/api/v1/devices/", params={"status": "offline"})
    assert listed.json()["total"] == 1100


async def test_poison_is_rejected_and_its_neighbours_do_not_notice(
    organization: Organization, handle: Handle
) -> None:
    made = await organization.make_device()
    event = heard(organization.id, made)
    broken = encode_event(event).replace(b'"last_seen"', b'"seen"')
    unknown = encode_event(event).replace(b"telemetry.presence", b"telemetry.absence")
    failures = await handle(b"\xff{", event, broken, unknown, b"[]", b'{"type": "telemetry.presence"}')
    assert len(failures) == 4
    assert all(isinstance(failure.error, RejectNow) for failure in failures)
    assert (await status_of(organization, made))["status"] == "online"


async def test_postgres_away_pauses_and_a_wrong_statement_does_not() -> None:
    class Away:
        def __init__(self, error: Exception) -> None:
            self.error = error

        async def record(self, *_: object) -> None:
            raise self.error

    event = heard(uuid4())
    with pytest.raises(DependencyUnavailable):
        await EventsConsumer(Away(ConnectionRefusedError()), Away(OSError()), Away(OSError())).handle([event])  # type: ignore[arg-type]
    wrong = IntegrityError("statement", {}, Exception("wrong"))
    with pytest.raises(IntegrityError):
        await EventsConsumer(Away(wrong), Away(wrong), Away(wrong)).handle([event])  # type: ignore[arg-type]

"""Dead letters of telemetry: listed, stored after all, or held; never lost."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import orjson
import pytest

from fleet_contracts.topology import PROPERTIES_HEADER, REASON_HEADER, telemetry_key
from fleet_kit.consumer import DependencyUnavailable, Failure
from fleet_kit.failure_router import Delivery, RetryLater
from fleet_kit.undecodable import Undecodable
from monitoring_service.dead_letters.consumers import DeadTelemetryHandler
from monitoring_service.readings.consumers import TelemetryHandler
from monitoring_service.store.client import Store


def dead(device: str, body: bytes, reason: str) -> Delivery:
    return Delivery(body, telemetry_key(device), None, {REASON_HEADER: reason}, 4, datetime.now(UTC))


async def test_a_dead_message_is_listed_reading_by_reading_with_their_ids(fleet: Any, store: Store) -> None:
    device, handler = str(uuid4()), fleet.worker.consumers["consume dead telemetry"].handler
    readings: list[Any] = [{"id": f"x{number}", "metrics": {"a": number}} for number in range(300)]
    readings[7] = {"id": "x7", "metrics": {"a": "warm"}}
    delivery = dead(device, orjson.dumps(readings), "UNKNOWN_DEVICE")
    for _ in range(2):
        assert not await handler([delivery])
    rows = await store.rejected.find({"device_id": device}).to_list(None)
    assert sorted(row["index"] for row in rows) == list(range(300))
    assert {row["reading_id"] for row in rows} == {reading["id"] for reading in readings}
    codes = {row["reading_id"]: row["code"] for row in rows}
    assert codes.pop("x7") == "INVALID_READING"
    assert set(codes.values()) == {"UNKNOWN_DEVICE"}


async def test_a_dead_message_whose_device_became_known_is_stored_after_all(fleet: Any) -> None:
    device, handler = await fleet.device(), fleet.worker.consumers["consume dead telemetry"].handler
    late = dead(device, b'{"id": "late", "metrics": {"a": 1}}', "UNKNOWN_DEVICE")
    poison = dead(device, b'{"id": "poison", "metrics": {"a": 1}}', "DELIVERY_LIMIT")
    assert not await handler([late, poison])
    assert [item["id"] for item in await fleet.items(f"/data/{device}")] == ["late"]
    assert [item["reading_id"] for item in await fleet.items("/rejected")] == ["poison"]


async def test_a_dead_message_whose_device_goes_again_is_listed_after_all(fleet: Any, store: Store) -> None:
    device, handler = await fleet.device(), fleet.worker.consumers["consume dead telemetry"].handler

    async def gone(deliveries: list[Delivery]) -> list[Failure]:
        return [Failure(delivery, RetryLater("UNKNOWN_DEVICE")) for delivery in deliveries]

    racing = DeadTelemetryHandler(handler._owners, cast(TelemetryHandler, gone), handler._rejected)
    assert not await racing([dead(device, b'{"id": "late", "metrics": {"a": 1}}', "UNKNOWN_DEVICE")])
    assert [item["reading_id"] for item in await fleet.items("/rejected")] == ["late"]


async def test_a_dead_message_that_cannot_be_handled_is_held(fleet: Any) -> None:
    device, handler = await fleet.device(), fleet.worker.consumers["consume dead telemetry"].handler

    async def broken(_: list[Delivery]) -> list[Failure]:
        raise ZeroDivisionError

    failing = DeadTelemetryHandler(handler._owners, cast(TelemetryHandler, broken), handler._rejected)
    with pytest.raises(DependencyUnavailable):
        await failing([dead(device, b'{"id": "late", "metrics": {"a": 1}}', "UNKNOWN_DEVICE")])


async def test_a_dead_message_that_cannot_be_decoded_is_listed_with_its_raw_properties(fleet: Any) -> None:
    device, handler = await fleet.device(), fleet.worker.consumers["consume dead telemetry"].handler
    body = b'{"id": "a", "metrics": {"a": 1}}'
    raw = Undecodable("properties cannot be decoded: of old", b"\x00\x80\x02\xff\xfe")
    moved_by_broker = Delivery(body, telemetry_key(device), None, raw, 0, datetime.now(UTC), raw)
    kept = base64.b64encode(b"\x00\x80\x01\xff").decode()
    reason = "properties cannot be decoded: of late"
    moved_by_consumer = dead(device, body.replace(b'"a"', b'"b"'), reason)
    moved_by_consumer = replace(
        moved_by_consumer, headers={**moved_by_consumer.headers, PROPERTIES_HEADER: kept}
    )
    assert not await handler([moved_by_broker, moved_by_consumer])
    rows = {row["reading_id"]: row for row in await fleet.items("/rejected")}
    assert {row["code"] for row in rows.values()} == {"UNDECODABLE_PROPERTIES"}
    assert [rows[name]["reason"][-6:] for name in "ab"] == ["of old", "f late"]
    assert base64.b64decode(rows["a"]["properties"]) == raw.properties
    assert rows["b"]["properties"] == kept

"""The live feed: everything stored, in order, once, to those who may see it."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import socketio
import websockets

from fleet_contracts.events import TokenRevokedData
from fleet_kit.testing import eventually
from monitoring_service.live.service import DROPPED

Connect = Callable[..., Any]


async def got(live: Any, number: int) -> None:
    async def enough() -> bool:
        return len(live.readings) >= number

    await eventually(enough)


async def test_a_client_gets_each_reading_once_in_order_with_a_cursor(fleet: Any, live: Connect) -> None:
    device = await fleet.device()
    client = await live()
    answer = await client.subscribe()
    assert answer["ok"]
    for batch in range(3):
        await fleet.readings(device, 1, 2, start=datetime.now(UTC) - timedelta(minutes=batch))
        device = await fleet.device()
    await got(client, 6)
    cursors = [int(reading["cursor"]) for reading in client.readings]
    assert cursors == sorted(set(cursors))
    assert set(client.readings[0]) == {"id", "device_id", "ts", "metrics", "cursor"}


async def test_a_client_that_comes_back_gets_what_it_missed_and_nothing_twice(
    fleet: Any, live: Connect
) -> None:
    device = await fleet.device()
    first = await live()
    await first.subscribe()
    await fleet.readings(device, *range(10))
    await got(first, 10)
    await first.client.disconnect()
    others = [await fleet.device() for _ in range(3)]
    for other in others:
        await fleet.readings(other, *range(100))
    second = await live()
    assert (await second.subscribe(since=first.readings[4]["cursor"]))["ok"]
    await fleet.readings(await fleet.device(), 1)
    await got(second, 306)
    assert second.ids() == [f"r{n}" for n in range(5, 10)] + [f"r{n}" for n in range(100)] * 3 + ["r0"]


async def test_a_client_that_was_away_for_too_long_is_told_of_the_gap(fleet: Any, live: Connect) -> None:
    device = await fleet.device()
    client = await live()
    ancient = int((time.time() - 30 * 86_400) * 1_000_000)
    assert (await client.subscribe(since=str(ancient)))["ok"]

    async def told() -> bool:
        return bool(client.others)

    await eventually(told)
    name, gap = client.others[0]
    assert (name, gap["reason"], gap["from"]) == ("gap", "RETENTION", str(ancient))
    await fleet.readings(device, 1)
    await got(client, 1)


async def test_a_client_that_is_too_many_readings_behind_is_told_of_the_gap(
    fleet: Any, live: Connect
) -> None:
    cursor = str(int((time.time() - 60) * 1_000_000))
    for _ in range(6):
        await fleet.readings(await fleet.device(), *range(1000), step=0)
    client = await live()
    await client.subscribe(since=cursor)

    async def told() -> bool:
        return [gap["reason"] for name, gap in client.others if name == "gap"] == ["TOO_FAR_BEHIND"]

    await eventually(told)


async def test_a_subscription_to_devices_carries_only_those(fleet: Any, live: Connect) -> None:
    wanted, other = await fleet.device(), await fleet.device()
    client = await live()
    await client.subscribe(devices=[wanted])
    await fleet.readings(other, 1)
    await fleet.readings(wanted, 2)
    await got(client, 1)
    assert [(reading["device_id"], reading["metrics"]) for reading in client.readings] == [
        (wanted, {"value": 2})
    ]


async def test_events_of_devices_reach_live_clients_in_the_same_order(fleet: Any, live: Connect) -> None:
    client = await live()
    await client.subscribe()
    device = await fleet.device()

    async def told() -> bool:
        return bool(client.others)

    await eventually(told)
    name, item = client.others[0]
    assert (name, item["type"], item["device_id"]) == ("device", "device.registered", device)
    assert int(item["cursor"]) > 0


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"devices": [str(uuid4())]}, "DEVICE_NOT_FOUND"),
        ({"devices": ["x"]}, "VALIDATION_FAILED"),
        ({"devices": "all"}, "VALIDATION_FAILED"),
        ({"sims": ["8988228066600000001"]}, "SIM_NOT_FOUND"),
        ({"since": "yesterday"}, "VALIDATION_FAILED"),
        ({"rooms": []}, "VALIDATION_FAILED"),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused(
    fleet: Any, live: Connect, wanted: dict[str, Any], code: str
) -> None:
    client = await live()
    answer = await client.subscribe(**wanted)
    assert (answer["ok"], answer["error"]["code"]) == (False, code)


async def test_another_organisations_readings_and_devices_are_out_of_reach(fleet: Any, live: Connect) -> None:
    mine, theirs = await fleet.device(), await fleet.device(uuid4())
    client = await live()
    assert (await client.subscribe(devices=[theirs]))["error"]["code"] == "DEVICE_NOT_FOUND"
    await client.subscribe()
    await fleet.readings(theirs, 1)
    await fleet.readings(mine, 2)
    await got(client, 1)
    assert [reading["device_id"] for reading in client.readings] == [mine]


async def test_the_platform_administrator_hears_everyone(fleet: Any, live: Connect) -> None:
    devices = [await fleet.device(), await fleet.device(uuid4())]
    client = await live(token=fleet.tokens.token(is_admin=True))
    assert (await client.subscribe())["ok"]
    for device in devices:
        await fleet.readings(device, 1)
    await got(client, 2)
    assert [reading["device_id"] for reading in client.readings] == devices


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
async def test_nobody_connects_without_a_token(fleet: Any, live: Connect, token: str) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        await live(token=token or "none")


async def test_a_revoked_token_is_disconnected_and_others_stay(fleet: Any, live: Connect) -> None:
    token = fleet.tokens.token(fleet.organization)
    principal = await fleet.tokens.verifier().verify(token)
    revoked, other = await live(token=token), await live()
    await revoked.subscribe()
    await other.subscribe()
    data = TokenRevokedData(jti=principal.token_id, sid=None, expires_at=datetime.now(UTC))
    from fleet_contracts.events import TokenRevoked
    from fleet_kit.messaging import Publisher

    publisher = Publisher(fleet.settings.amqp_url.get_secret_value(), "test")
    event = TokenRevoked(source="t", subject="s", organizationid=UUID(int=1), data=data)

    async def gone() -> bool:
        await publisher.publish_event(event)
        return bool(revoked.gone.is_set())

    await eventually(gone, every=0.3)
    await publisher.close()
    assert not other.gone.is_set()


async def test_an_expired_token_is_disconnected(fleet: Any, live: Connect) -> None:
    client = await live(token=fleet.tokens.token(fleet.organization, lifetime=timedelta(seconds=1)))
    await client.subscribe()
    async with asyncio.timeout(60):
        await client.gone.wait()


async def test_a_client_that_does_not_read_is_dropped_and_others_notice_nothing(
    fleet: Any, live: Connect
) -> None:
    dropped_before = DROPPED._value.get()
    device = await fleet.device()
    url = str(fleet.http.base_url).replace("http", "ws") + "/ws/monitoring/?EIO=4&transport=websocket"
    token = fleet.tokens.token(fleet.organization)
    deaf = await websockets.connect(url, max_queue=1, compression=None)
    await deaf.recv()
    await deaf.send(f'40{{"token":"{token}"}}')
    await deaf.recv()
    await deaf.send('420["subscribe",{}]')
    deaf.transport.pause_reading()
    good = await live()
    await good.subscribe()
    for number in range(60):
        tags = {f"t{n}": "x" * 250 for n in range(20)}
        batch = [
            {
                "id": f"b{number}-{n}",
                "metrics": {f"metric_with_a_long_name_{m}": m for m in range(90)},
                "tags": tags,
            }
            for n in range(50)
        ]
        await fleet.store(_message(batch, device))
        await asyncio.sleep(0.05)
    await got(good, 3000)

    async def dropped() -> bool:
        text = (await fleet.http.get("/metrics")).text
        return f"monitoring_live_dropped_total {dropped_before + 1}" in text

    await eventually(dropped, timeout=15)
    assert not good.gone.is_set()
    deaf.transport.abort()


def _message(readings: list[dict[str, Any]], device: str) -> Any:
    import orjson

    from fleet_contracts.topology import telemetry_key
    from fleet_kit.failure_router import Delivery

    return Delivery(orjson.dumps(readings), telemetry_key(device), None, {}, 0, datetime.now(UTC))

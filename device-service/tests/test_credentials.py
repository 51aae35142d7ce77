import httpx
from fastapi import FastAPI
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy import text

from .conftest import Organization
from .support import device_key, path_of

READING = {"metrics": {"a": 1}}


async def sends(anyone: httpx.AsyncClient, device: dict[str, str], key: str) -> int:
    headers = device_key({"id": device["id"], "key": key})
    return (await anyone.post(path_of(device, "/telemetry"), json=READING, headers=headers)).status_code


async def test_rotation_kills_the_old_key_at_once(
    organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made = await organization.make_device()
    assert await sends(anyone, made, made["key"]) == 202
    response = await organization.operator.post(path_of(made, "/credentials"))
    assert response.status_code == 201
    assert set(response.json()) == {"key"}
    assert await sends(anyone, made, made["key"]) == 401
    assert await sends(anyone, made, response.json()["key"]) == 202


async def test_revoked_device_is_refused_until_a_new_key_is_issued(
    organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made = await organization.make_device()
    assert await sends(anyone, made, made["key"]) == 202
    assert (await organization.operator.delete(path_of(made, "/credentials"))).status_code == 204
    assert await sends(anyone, made, made["key"]) == 401
    assert (await organization.operator.delete(path_of(made, "/credentials"))).status_code == 204
    key = (await organization.operator.post(path_of(made, "/credentials"))).json()["key"]
    assert await sends(anyone, made, key) == 202


async def test_deleted_devices_key_is_refused(organization: Organization, anyone: httpx.AsyncClient) -> None:
    made = await organization.make_device()
    assert await sends(anyone, made, made["key"]) == 202
    await organization.operator.delete(path_of(made))
    assert await sends(anyone, made, made["key"]) == 401


async def test_wrong_keys_are_refused(organization: Organization, anyone: httpx.AsyncClient) -> None:
    made, other = await organization.make_device(), await organization.make_device()
    path = path_of(made, "/telemetry")
    for value in (
        f"Device {made['id']}:{other['key']}",
        f"Device {made['id']}:",
        f"Device {made['id']}",
        f"Device x:{made['key']}",
        "Device",
        f"Device {made['id']}:\xff",
    ):
        headers = {b"Authorization": value.encode("latin-1")}
        answer = await anyone.post(path, json=READING, headers=headers)
        assert answer.status_code == 401, value
        assert answer.json()["error"]["code"] in {"DEVICE_KEY_INVALID", "UNAUTHORIZED"}


async def test_key_is_stored_only_as_its_hash(app: FastAPI, organization: Organization) -> None:
    made = await organization.operator.post(
        "/api/v1/devices/", json={"name": "n", "type": "t"}, headers={"Idempotency-Key": "hash"}
    )
    key = made.json()["key"]
    async with app.state.sessions() as session:
        for table in ("t_devices", "t_device_credentials", "t_idempotency_keys", "t_outbox"):
            rows = await session.scalars(text(f"SELECT CAST(t AS text) FROM {table} t"))
            assert not any(key in row for row in rows), table


async def test_without_redis_keys_still_work_and_die(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient, monkeypatch: object
) -> None:
    made = await organization.make_device()

    async def away(*_: object, **__: object) -> None:
        raise RedisAway("away")

    app.state.redis.mget, app.state.redis.set = away, away
    try:
        assert await sends(anyone, made, made["key"]) == 202
        await organization.operator.delete(path_of(made, "/credentials"))
        assert await sends(anyone, made, made["key"]) == 401
    finally:
        del app.state.redis.mget, app.state.redis.set

"""What the broker is answered: plain text, and no more than a device needs."""

from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from device_service.credentials.keys import new_key

from .conftest import Organization
from .support import path_of

A, B = "0190aaaa-0000-7000-8000-00000000000a", "0190aaaa-0000-7000-8000-00000000000b"


async def ask(app: FastAPI, anyone: httpx.AsyncClient, question: str, **form: str) -> bool:
    vhost = app.state.broker._vhost
    response = await anyone.post(f"/internal/broker/{question}", data={"vhost": vhost} | form)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text in {"allow", "deny"}
    assert response.headers["connection"] == "close", "else the broker asks one question after the other"
    return response.text == "allow"


async def test_device_logs_in_with_its_key_only(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made, other = await organization.make_device(), await organization.make_device()
    login = {"username": made["id"], "password": made["key"], "client_id": "any-name"}
    assert await ask(app, anyone, "user", **login)
    assert await ask(app, anyone, "user", **login | {"client_id": made["id"]})
    for wrong in (
        login | {"password": other["key"]},
        login | {"password": ""},
        login | {"username": made["id"].upper()},
        login | {"username": made["id"].replace("-", "")},
        login | {"username": str(uuid4())},
        login | {"username": "guest", "password": "guest"},
        {"username": made["id"], "client_id": "any-name"},
        {"client_id": "any-name"},
    ):
        assert not await ask(app, anyone, "user", **wrong), wrong


async def test_a_key_opens_no_protocol_that_names_no_mqtt_client(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made = await organization.make_device()
    login = {"username": made["id"], "password": made["key"]}
    assert not await ask(app, anyone, "user", **login)
    assert not await ask(app, anyone, "user", **login, client_id="")


async def test_a_client_id_that_is_not_utf_8_opens_no_session(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient
) -> None:
    """RabbitMQ takes such names. With their odd bytes replaced, all would be the same name."""
    made = await organization.make_device()
    body = f"vhost={app.state.broker._vhost}&username={made['id']}&password={made['key']}&client_id=x%80"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await anyone.post("/internal/broker/user", content=body.encode(), headers=form)
    assert answer.text == "deny"
    answer = await anyone.post("/internal/broker/user", content=body[:-3].encode(), headers=form)
    assert answer.text == "allow"


async def test_device_cannot_take_over_another_devices_session(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made, other = await organization.make_device(), await organization.make_device()
    login = {"username": made["id"], "password": made["key"]}
    assert not await ask(app, anyone, "user", **login, client_id=other["id"])
    assert not await ask(app, anyone, "user", **login, client_id=f"{other['id']}-1")
    assert await ask(app, anyone, "user", **login, client_id=str(uuid4()))


async def test_rotation_revocation_and_deletion_are_known_at_once(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made = await organization.make_device()
    topic = {
        "username": made["id"], "resource": "topic", "name": "amq.topic", "permission": "write",
        "routing_key": f"devices.{made['id']}.telemetry",
    }  # fmt: skip
    old = {"username": made["id"], "password": made["key"], "client_id": "any-name"}
    assert await ask(app, anyone, "user", **old)
    key = (await organization.operator.post(path_of(made, "/credentials"))).json()["key"]
    assert not await ask(app, anyone, "user", **old)
    assert await ask(app, anyone, "user", **old | {"password": key})
    assert await ask(app, anyone, "topic", **topic)
    await organization.operator.delete(path_of(made, "/credentials"))
    assert not await ask(app, anyone, "user", **old | {"password": key})
    # A session that has not published yet may not begin to.
    assert not await ask(app, anyone, "topic", **topic)
    again = await organization.make_device()
    await organization.operator.delete(path_of(again))
    login = {"username": again["id"], "password": again["key"], "client_id": "any-name"}
    assert not await ask(app, anyone, "user", **login)


async def test_only_the_fleets_virtual_host_is_open(app: FastAPI, anyone: httpx.AsyncClient) -> None:
    assert await ask(app, anyone, "vhost", username=A)
    assert not await ask(app, anyone, "vhost", username=A, vhost="other")
    assert not await ask(app, anyone, "vhost", username="guest")


@pytest.mark.parametrize(
    ("kind", "name", "permission", "allowed"),
    [
        ("exchange", "amq.topic", "write", True),
        ("exchange", "amq.topic", "read", True),
        ("exchange", "amq.topic", "configure", False),
        ("exchange", "amq.default", "write", False),
        ("exchange", "", "write", False),
        ("exchange", "fleet.events", "write", False),
        ("exchange", "fleet.dead", "read", False),
        ("queue", f"mqtt-subscription-{A}qos1", "configure", True),
        ("queue", f"mqtt-subscription-{A}qos0", "read", True),
        ("queue", f"mqtt-subscription-{A}qos1", "write", True),
        ("queue", f"mqtt-subscription-{A}-console-7qos1", "read", False),
        ("queue", f"mqtt-subscription-{A}qos2", "configure", False),
        ("queue", f"mqtt-subscription-{A}qos1", "delete", False),
        ("queue", f"mqtt-subscription-{B}qos1", "read", False),
        ("queue", f"mqtt-subscription-{B}-{A}qos1", "read", False),
        ("queue", f"mqtt-subscription-{A}0qos1", "read", False),
        ("queue", f"mqtt-subscription-{A}", "read", False),
        ("queue", "mqtt-subscription-console-qos1", "configure", False),
        ("queue", "monitoring.telemetry", "read", False),
        ("queue", "", "configure", False),
        ("topic", "amq.topic", "write", False),
        ("", "", "", False),
    ],
)
async def test_resources(
    app: FastAPI, anyone: httpx.AsyncClient, kind: str, name: str, permission: str, allowed: bool
) -> None:
    answer = await ask(app, anyone, "resource", username=A, resource=kind, name=name, permission=permission)
    assert answer is allowed


async def test_resources_of_another_virtual_host_are_closed(app: FastAPI, anyone: httpx.AsyncClient) -> None:
    form = {"username": A, "resource": "exchange", "name": "amq.topic", "permission": "write"}
    assert not await ask(app, anyone, "resource", **form, vhost="other")


async def test_topics(app: FastAPI, organization: Organization, anyone: httpx.AsyncClient) -> None:
    made, other = await organization.make_device(), await organization.make_device()
    mine, theirs = made["id"], other["id"]
    for name, permission, key, allowed in (
        ("amq.topic", "write", f"devices.{mine}.telemetry", True),
        ("amq.topic", "write", f"devices.{mine}.telemetry.x", False),
        ("amq.topic", "write", f"devices.{mine}.commands", False),
        ("amq.topic", "write", f"devices.{theirs}.telemetry", False),
        ("amq.topic", "write", "devices.*.telemetry", False),
        ("amq.topic", "write", "", False),
        ("amq.topic", "read", f"devices.{mine}.commands", True),
        ("amq.topic", "read", f"devices.{mine}.commands.#", True),
        ("amq.topic", "read", f"devices.{mine}.commands.7", False),
        ("amq.topic", "read", f"devices.{mine}.commands.#.#", False),
        ("amq.topic", "read", f"devices.{mine}.telemetry", False),
        ("amq.topic", "read", f"devices.{theirs}.commands", False),
        ("amq.topic", "read", "devices.*.commands", False),
        ("amq.topic", "read", "#", False),
        ("fleet.events", "write", f"devices.{mine}.telemetry", False),
        ("amq.topic", "configure", f"devices.{mine}.telemetry", False),
    ):
        form = {"resource": "topic", "name": name, "permission": permission, "routing_key": key}
        assert await ask(app, anyone, "topic", username=mine, **form) is allowed, (name, permission, key)
    form = {"resource": "topic", "name": "amq.topic", "permission": "write"}
    ghost = str(uuid4())
    assert not await ask(
        app, anyone, "topic", username=ghost, routing_key=f"devices.{ghost}.telemetry", **form
    )


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"username", b"username=%ff%00&password=%00", b"{}"])
@pytest.mark.parametrize("question", ["user", "vhost", "resource", "topic"])
async def test_nonsense_is_denied(anyone: httpx.AsyncClient, question: str, body: bytes) -> None:
    response = await anyone.post(f"/internal/broker/{question}", content=body)
    assert (response.status_code, response.text) == (200, "deny")


async def test_postgres_away_is_no_answer_rather_than_a_yes(
    app: FastAPI, anyone: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(app.state.authenticator._lookup, "_sessions", away)
    login = {"username": str(uuid4()), "password": new_key(), "client_id": "any-name"}
    response = await anyone.post("/internal/broker/user", data=login)
    assert response.status_code == 503

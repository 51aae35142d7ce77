import base64
import hashlib
import json
import re

import pytest

from fleet_contracts import topology
from fleet_infra.broker_config import Listeners, rabbitmq_conf
from fleet_infra.broker_users import broker_users
from fleet_infra.definitions import BrokerUser, definitions, definitions_json
from fleet_infra.secret_store import Secrets

LISTENERS = Listeners("127.0.0.1:5672", "127.0.0.1:1883", 15672, "127.0.0.1", 15692, "127.0.0.1")


@pytest.fixture(scope="module")
def users() -> dict[str, BrokerUser]:
    return {user.name: user for user in broker_users(Secrets())}


def test_every_queue_of_the_contracts_is_there_before_a_device_connects() -> None:
    content = definitions([])

    assert {queue["name"] for queue in content["queues"]} == {q.name for q in topology.declared_queues()}
    assert all(queue["arguments"]["x-queue-type"] == "quorum" for queue in content["queues"])
    assert len(content["bindings"]) == len(topology.declared_bindings())
    assert content["policies"] == []


def test_the_same_users_give_the_same_file() -> None:
    secrets = Secrets()

    assert definitions_json(broker_users(secrets)) == definitions_json(broker_users(secrets))


def test_passwords_are_only_there_as_salted_hashes() -> None:
    user = BrokerUser("somebody", "correct horse", ".*", ".*", ".*")
    text = definitions_json([user])
    hashed = base64.b64decode(json.loads(text)["users"][0]["password_hash"])

    assert "correct horse" not in text
    assert hashed[4:] == hashlib.sha256(hashed[:4] + b"correct horse").digest()


def test_who_closes_sessions_is_an_administrator_that_sees_no_message(users: dict[str, BrokerUser]) -> None:
    tagged = {name for name, user in users.items() if "administrator" in user.tags}
    assert tagged == {"fleet-admin", "fleet-sessions"}
    closer = users["fleet-sessions"]
    assert {closer.configure, closer.write, closer.read} == {"^$"}


@pytest.mark.parametrize(
    ("user", "permission", "resource", "allowed"),
    [
        ("fleet-monitoring", "read", "monitoring.telemetry", True),
        ("fleet-monitoring", "read", "device.events", False),
        ("fleet-monitoring", "write", "fleet.dead", True),
        ("fleet-device", "write", "amq.topic", True),
        ("fleet-sim", "write", "amq.topic", False),
        ("fleet-sim", "read", "sim.events", True),
        ("fleet-signing", "write", "fleet.events", True),
        ("fleet-signing", "read", "monitoring.telemetry", False),
        ("fleet-signing", "configure", "amq.gen-x", True),
        ("fleet-device", "configure", "device.events", False),
        ("fleet-access", "write", "amq.topic", True),
        ("fleet-access", "write", "fleet.events", False),
        ("fleet-access", "read", "monitoring.events", True),
    ],
)
def test_each_user_may_do_what_it_needs_and_no_more(
    users: dict[str, BrokerUser], user: str, permission: str, resource: str, allowed: bool
) -> None:
    pattern = getattr(users[user], permission)

    assert (re.search(pattern, resource) is not None) is allowed


def test_devices_are_asked_for_at_device_service_by_post() -> None:
    text = rabbitmq_conf(LISTENERS, "/x/definitions.json", "http://127.0.0.1:8002")

    assert "auth_http.user_path = http://127.0.0.1:8002/internal/broker/user" in text
    assert "auth_http.http_method = post" in text
    assert "auth_cache.cache_ttl = 10000" in text
    assert "mqtt.allow_anonymous = false" in text
    assert "load_definitions = /x/definitions.json" in text

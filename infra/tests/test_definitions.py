import base64
import hashlib
import json
import re

import pytest
import yaml

from fleet_contracts import topology
from fleet_infra.broker_config import CONTAINER_WATERMARK_BYTES, Listeners, rabbitmq_conf
from fleet_infra.broker_users import broker_users
from fleet_infra.definitions import EVERYTHING, BrokerUser, definitions, definitions_json
from fleet_infra.device_limits import DeviceLimits
from fleet_infra.layout import Layout
from fleet_infra.secret_store import Secrets

LIMITS = DeviceLimits(max_connections=10)
LISTENERS = Listeners("127.0.0.1:5672", "127.0.0.1:1883", 15672, "127.0.0.1", 15692, "127.0.0.1")


@pytest.fixture(scope="module")
def users() -> dict[str, BrokerUser]:
    return {user.name: user for user in broker_users(Secrets())}


def test_every_queue_of_the_contracts_is_there_before_a_device_connects() -> None:
    content = definitions([], LIMITS)

    declared = {(vhost, queue.name) for vhost in topology.QUEUES for queue in topology.declared_queues(vhost)}
    assert {(queue["vhost"], queue["name"]) for queue in content["queues"]} == declared
    assert all(queue["arguments"]["x-queue-type"] == "quorum" for queue in content["queues"])
    bindings = sum(len(topology.declared_bindings(vhost)) for vhost in topology.QUEUES)
    assert len(content["bindings"]) == bindings


@pytest.mark.parametrize("vhost", topology.QUEUES)
def test_a_policy_bounds_every_queue_of_dead_letters_and_no_other(vhost: str) -> None:
    policies = [found for found in definitions([], LIMITS)["policies"] if found["vhost"] == vhost]
    [policy] = [found for found in policies if found["name"] == "dead-letters"]
    bounded = {q.name for q in topology.declared_queues(vhost) if re.search(policy["pattern"], q.name)}

    assert bounded == {queue.dead for queue in topology.QUEUES[vhost]}
    assert policy["definition"]["max-length"] > 0
    assert policy["definition"]["max-length-bytes"] > 0


def test_the_same_users_give_the_same_file() -> None:
    secrets = Secrets()

    assert definitions_json(broker_users(secrets), LIMITS) == definitions_json(broker_users(secrets), LIMITS)


def test_passwords_are_only_there_as_salted_hashes() -> None:
    user = BrokerUser("somebody", "correct horse", {"/": EVERYTHING})
    text = definitions_json([user], LIMITS)
    hashed = base64.b64decode(json.loads(text)["users"][0]["password_hash"])

    assert "correct horse" not in text
    assert hashed[4:] == hashlib.sha256(hashed[:4] + b"correct horse").digest()


def test_who_closes_sessions_is_an_administrator_that_sees_no_message(users: dict[str, BrokerUser]) -> None:
    tagged = {name for name, user in users.items() if "administrator" in user.tags}
    assert tagged == {"fleet-admin", "fleet-sessions"}
    for rights in users["fleet-sessions"].rights.values():
        assert {rights.write, rights.read} == {"^$"}


@pytest.mark.parametrize(
    ("user", "vhost", "permission", "resource", "allowed"),
    [
        ("fleet-monitoring", "devices", "read", "devices.telemetry", True),
        ("fleet-monitoring", "devices", "read", "mqtt-subscription-x", False),
        ("fleet-monitoring", "devices", "write", "fleet.dead", True),
        ("fleet-monitoring", "devices", "write", "amq.topic", False),
        ("fleet-sessions", "devices", "configure", "mqtt-subscription-x", True),
        ("fleet-sessions", "devices", "configure", "devices.telemetry", False),
        ("fleet-sessions", "/", "configure", "mqtt-subscription-x", False),
        ("fleet-monitoring", "/", "read", "monitoring.telemetry", True),
        ("fleet-monitoring", "/", "read", "device.events", False),
        ("fleet-monitoring", "/", "write", "fleet.dead", True),
        ("fleet-device", "/", "write", "amq.topic", True),
        ("fleet-sim", "/", "write", "amq.topic", False),
        ("fleet-sim", "/", "read", "sim.events", True),
        ("fleet-signing", "/", "write", "fleet.events", True),
        ("fleet-signing", "/", "read", "monitoring.telemetry", False),
        ("fleet-signing", "/", "configure", "amq.gen-x", True),
        ("fleet-device", "/", "configure", "device.events", False),
        ("fleet-access", "/", "write", "amq.topic", True),
        ("fleet-access", "/", "write", "fleet.events", False),
        ("fleet-access", "/", "read", "monitoring.events", True),
    ],
)
def test_each_user_may_do_what_it_needs_and_no_more(
    users: dict[str, BrokerUser], user: str, vhost: str, permission: str, resource: str, allowed: bool
) -> None:
    pattern = getattr(users[user].rights[vhost], permission)

    assert (re.search(pattern, resource) is not None) is allowed


def test_devices_are_asked_for_at_device_service_by_post() -> None:
    text = rabbitmq_conf(LISTENERS, "/x/definitions.json", "http://127.0.0.1:8002")

    assert "auth_http.user_path = http://127.0.0.1:8002/internal/broker/user" in text
    assert "auth_http.http_method = post" in text
    assert "auth_cache.cache_ttl = 10000" in text
    assert "mqtt.allow_anonymous = false" in text
    assert "load_definitions = /x/definitions.json" in text


def test_publishers_wait_before_the_brokers_container_is_full() -> None:
    services = yaml.safe_load((Layout.of_clone().root / "docker-compose.yml").read_text())["services"]
    limit = services["rabbitmq"]["deploy"]["resources"]["limits"]["memory"]
    text = rabbitmq_conf(LISTENERS, "/x", None, watermark_bytes=CONTAINER_WATERMARK_BYTES)

    assert limit.endswith("m")
    assert int(limit[:-1]) * 1024**2 * 0.4 < CONTAINER_WATERMARK_BYTES < int(limit[:-1]) * 1024**2 * 0.6
    assert text.count("vm_memory_high_watermark") == 1
    assert f"vm_memory_high_watermark.absolute = {CONTAINER_WATERMARK_BYTES}" in text


def test_every_queue_of_readings_and_no_other_has_a_bound_in_bytes() -> None:
    (bounded,) = (policy for policy in topology.POLICIES if policy.name == "telemetry")
    queues = [queue.name for vhost in topology.QUEUES for queue in topology.declared_queues(vhost)]

    assert {name for name in queues if re.search(bounded.pattern, name)} == {
        topology.MONITORING_TELEMETRY.name,
        topology.DEVICES_TELEMETRY.name,
        topology.DEVICES_TELEMETRY.excess,
    }
    assert bounded.definition["max-length-bytes"] == topology.MAX_TELEMETRY_QUEUE_BYTES
    assert bounded.definition["overflow"] == "reject-publish"


def test_only_those_with_business_there_enter_the_virtual_host_of_devices(
    users: dict[str, BrokerUser],
) -> None:
    entering = {name for name, user in users.items() if topology.DEVICES_VHOST in user.rights}

    assert entering == {"fleet-admin", "fleet-access", "fleet-monitoring", "fleet-sessions"}


def test_nothing_is_retained_and_no_login_is_remembered() -> None:
    text = rabbitmq_conf(LISTENERS, "/x/definitions.json", "http://127.0.0.1:8002")

    assert "mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop" in text
    assert "auth_backends.2.authn = http" in text
    assert "auth_backends.2.authz = cache" in text

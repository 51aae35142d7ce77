"""What a container may take is more than what its program can ask for."""

import re
from typing import Any

import pytest
import yaml
from argon2 import PasswordHasher

from fleet_contracts.telemetry import MAX_READINGS
from fleet_infra.broker_config import MAX_MESSAGE_BYTES, MAX_MQTT_PACKET_BYTES
from fleet_infra.layout import Layout
from fleet_kit.consumer import MAX_BATCH_BYTES
from monitoring_service.settings import Settings as MonitoringSettings
from monitoring_service.worker import BATCHES_IN_MEMORY, DEAD_BATCH_MESSAGES, EXCESS_BATCH_MESSAGES
from signing_service.settings import SigningSettings

MIB = 2**20
RESIDENT = 200 * MIB
"""What an API or a worker needs besides, generously: 110 MiB were measured after its imports."""
EVENT = 256 * 1024
"""An event; the largest thing in one is free JSON of 64 KiB."""
READING, DECODED = 1024, 5
"""Memory of what is made of a message: of each reading in it, besides multiples of its JSON."""


def container_bytes(described: Any) -> int:
    """The limit of a service in docker-compose.yml."""
    limit = re.fullmatch(r"(\d+)m", described["deploy"]["resources"]["limits"]["memory"])
    assert limit is not None
    return int(limit[1]) * MIB


@pytest.fixture(scope="module")
def services() -> Any:
    """The services of docker-compose.yml."""
    compose = (Layout.of_clone().root / "docker-compose.yml").read_text(encoding="utf-8")
    return yaml.safe_load(compose)["services"]


def test_all_passwords_hashed_at_once_fit_into_the_container(services: Any) -> None:
    described = services["signing-service"]
    at_once = sum(
        int(described["environment"].get(name.upper(), SigningSettings.model_fields[name].default))
        for name in ("argon2_parallel", "argon2_parallel_strangers")
    )
    assert at_once * PasswordHasher().memory_cost * 1024 + RESIDENT <= container_bytes(described)


def test_the_largest_messages_that_may_wait_fit_into_the_container_of_the_worker(services: Any) -> None:
    """Of services up to the broker's limit, of devices up to theirs; and a batch of each queue in hand."""
    described = services["monitoring-worker"]
    default = MonitoringSettings.model_fields["batch_messages"].default
    batch = int(described["environment"].get("BATCH_MESSAGES", default))
    needed = RESIDENT + BATCHES_IN_MEMORY * batch * EVENT
    of_services, of_devices = MAX_MESSAGE_BYTES, MAX_MQTT_PACKET_BYTES
    queues = [(batch, of_services), (DEAD_BATCH_MESSAGES, of_services)]
    queues += [(size, of_devices) for size in (batch, DEAD_BATCH_MESSAGES, EXCESS_BATCH_MESSAGES)]
    for size, message in queues:
        needed += BATCHES_IN_MEMORY * size * message
        needed += size * MAX_READINGS * READING + DECODED * (MAX_BATCH_BYTES + message)
    assert needed <= container_bytes(described)

import pytest

from fleet_contracts.topology import (
    QUEUES,
    RETRY_DELAYS_SECONDS,
    declared_bindings,
    declared_queues,
    device_of_key,
    telemetry_key,
)


@pytest.mark.parametrize("vhost", QUEUES)
def test_every_queue_is_a_quorum_queue_with_explicit_limits(vhost: str) -> None:
    names = {queue.name: queue.arguments for queue in declared_queues(vhost)}
    assert all(arguments["x-queue-type"] == "quorum" for arguments in names.values())
    for queue in QUEUES[vhost]:
        assert names[queue.name]["x-delivery-limit"] == 100
        assert names[queue.name]["x-dead-letter-strategy"] == "at-least-once"
        assert names[queue.name]["x-overflow"] == "reject-publish"


@pytest.mark.parametrize("vhost", QUEUES)
def test_every_queue_has_its_waiting_queues_and_bound_dead_letters(vhost: str) -> None:
    names = {queue.name for queue in declared_queues(vhost)}
    for queue in QUEUES[vhost]:
        assert {queue.retry(step) for step in range(len(RETRY_DELAYS_SECONDS) + 3)} <= names
        assert ("fleet.dead", queue.dead, queue.name) in declared_bindings(vhost)


def test_a_device_is_read_only_from_its_own_form_of_key() -> None:
    assert device_of_key(telemetry_key("abc")) == "abc"
    for key in ("devices.abc.commands", "devices.a.b.telemetry", "telemetry", ""):
        assert device_of_key(key) is None

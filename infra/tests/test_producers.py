"""`make broker-user` at a real broker."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from fleet_infra.errors import CannotStart
from fleet_infra.producers import LIMITS, make_producer


@pytest.fixture
def access(rabbitmq_management: httpx.Client, fleet_servers: Any) -> dict[str, Any]:
    """What make_producer reads of access.json."""
    login = urlsplit(fleet_servers.addresses.amqp_url)
    return {
        "rabbitmq_management_url": fleet_servers.addresses.rabbitmq_management_url,
        "rabbitmq_user": login.username,
        "rabbitmq_password": login.password,
    }


def test_a_producer_has_rights_and_limits(access: dict[str, Any], rabbitmq_management: httpx.Client) -> None:
    name = f"line-{uuid4().hex[:8]}"
    assert make_producer(access, name)

    (permission,) = rabbitmq_management.get(f"/users/{name}/permissions").json()
    assert (permission["vhost"], permission["configure"], permission["read"]) == ("/", "^$", "^$")
    (limits,) = rabbitmq_management.get(f"/user-limits/{name}").json()
    assert limits["value"] == LIMITS


def test_a_producer_that_was_half_made_is_made_again(
    access: dict[str, Any], rabbitmq_management: httpx.Client
) -> None:
    name = f"line-{uuid4().hex[:8]}"
    make_producer(access, name)
    rabbitmq_management.delete(f"/permissions/%2F/{name}").raise_for_status()

    assert make_producer(access, name)
    assert rabbitmq_management.get(f"/permissions/%2F/{name}").is_success


def test_a_broker_that_refuses_is_said_in_one_sentence(access: dict[str, Any]) -> None:
    with pytest.raises(CannotStart, match=r"PUT /api/users/line: 401"):
        make_producer({**access, "rabbitmq_password": "another"}, "line")


@pytest.mark.parametrize("read", ["^$", ".*"])
def test_a_user_without_the_tag_is_a_producer_with_exactly_its_rights(
    access: dict[str, Any], rabbitmq_management: httpx.Client, read: str
) -> None:
    """As an earlier version made them: they get a new password, and the tag."""
    name = f"line-{uuid4().hex[:8]}"
    make_producer(access, name)
    (rights,) = rabbitmq_management.get(f"/users/{name}/permissions").json()
    for path, body in (
        (f"/users/{name}", {"password": "of-before", "tags": ""}),
        (f"/permissions/%2F/{name}", {**rights, "read": read}),
    ):
        rabbitmq_management.put(path, json=body).raise_for_status()

    if read == rights["read"]:
        assert make_producer(access, name)
        assert rabbitmq_management.get(f"/users/{name}").json()["tags"] == ["producer"]
    else:
        with pytest.raises(CannotStart, match="no producer"):
            make_producer(access, name)

"""Devices are registered once and found again; keys survive a run, and losing them costs a rotation."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from device_simulator.access import Access, Overrides, read_access
from device_simulator.credentials import Credential
from device_simulator.enrolment import KeyStore
from device_simulator.errors import CannotStart
from device_simulator.run import enrolled


async def test_the_next_run_uses_the_same_devices_and_keys(
    make_plan: Any, access: Access, platform: Any
) -> None:
    first = await enrolled(make_plan(devices=8), access)
    made = len(platform.calls)
    second = await enrolled(make_plan(devices=8), access)

    assert second == first
    assert {credential.id for credential in first} == set(platform.names.values())
    assert not [call for call in platform.calls[made:] if call == "POST /api/v1/devices/"]


async def test_more_devices_are_added_to_those_known(make_plan: Any, access: Access, platform: Any) -> None:
    first = await enrolled(make_plan(devices=2), access)

    assert (await enrolled(make_plan(devices=5), access))[:2] == first
    assert len(platform.names) == 5


async def test_a_lost_key_is_rotated_and_the_device_kept(
    make_plan: Any, access: Access, platform: Any, tmp_path: Path
) -> None:
    first = await enrolled(make_plan(devices=2), access)
    (tmp_path / "keys.json").unlink()
    second = await enrolled(make_plan(devices=2), access)

    assert [c.id for c in second] == [c.id for c in first]
    assert [c.key for c in second] == [platform.keys[c.id] for c in second] != [c.key for c in first]


async def test_the_key_file_is_for_its_owner_only(make_plan: Any, access: Access, tmp_path: Path) -> None:
    await enrolled(make_plan(devices=1), access)

    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["keys.json"]  # noqa: PTH208


async def test_a_platform_that_is_not_up_yet_is_waited_for(
    make_plan: Any, access: Access, platform: Any
) -> None:
    platform.failures = [502, 503, 429]

    assert len(await enrolled(make_plan(devices=1), access)) == 1


async def test_a_platform_that_never_comes_up_is_named(make_plan: Any, access: Access, platform: Any) -> None:
    platform.failures = [503] * 50

    with pytest.raises(CannotStart, match="auth/login: HTTP 503 TEST: as the test wants it"):
        await enrolled(make_plan(patience=0.5), access)


async def test_a_wrong_password_is_said_at_once(make_plan: Any, access: Access, platform: Any) -> None:
    wrong = Access(access.addresses, access.email, "wrong")

    with pytest.raises(CannotStart, match="HTTP 401 INVALID_CREDENTIALS"):
        await enrolled(make_plan(), wrong)
    assert platform.calls == ["POST /api/v1/auth/login"]


def test_a_damaged_key_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")

    with pytest.raises(CannotStart, match="damaged"):
        KeyStore(tmp_path / "keys.json")


def test_a_key_never_shows_in_a_representation() -> None:
    assert "hush" not in repr(Credential("id", "hush"))


def test_the_access_file_says_it_all(tmp_path: Path) -> None:
    file = tmp_path / "access.json"
    file.write_text(
        '{"gateway_url": "http://g:8080", "mqtt_host": "m", "mqtt_port": 1, "amqp_url": "amqp://u:p@a:2/%2F",'
        ' "demo_email": "d@example.com", "demo_password": "hush"}'
    )
    access = read_access(file, Overrides())

    assert access.addresses.gateway_url == "http://g:8080"
    assert (access.addresses.mqtt_host, access.addresses.mqtt_port) == ("m", 1)
    assert (access.addresses.amqp_host, access.addresses.amqp_port, access.addresses.amqp_vhost) == (
        "a",
        2,
        "/",
    )
    assert (access.addresses.amqp_user, access.addresses.amqp_password) == ("u", "p")
    assert (access.email, access.password) == ("d@example.com", "hush")
    assert "hush" not in repr(access)


def test_the_command_line_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_PASSWORD", "from the environment")
    monkeypatch.setenv("FLEET_AMQP_USER", "producer")
    monkeypatch.setenv("FLEET_AMQP_PASSWORD", "of the producer")
    file = tmp_path / "access.json"
    file.write_text('{"demo_email": "d@example.com", "demo_password": "of another user"}')
    access = read_access(file, Overrides("http://h:1", "e@example.com", "m:2", "a:3"))

    assert (access.addresses.gateway_url, access.email) == ("http://h:1", "e@example.com")
    assert (access.addresses.mqtt_port, access.addresses.amqp_port) == (2, 3)
    assert access.password == "from the environment"
    assert (access.addresses.amqp_user, access.addresses.amqp_password) == ("producer", "of the producer")
    assert "of the producer" not in repr(access)


def test_the_files_login_is_not_sent_to_another_broker(tmp_path: Path) -> None:
    file = tmp_path / "access.json"
    file.write_text(
        '{"amqp_url": "amqp://u:p@a:2/%2F", "demo_email": "d@example.com", "demo_password": "hush"}'
    )
    access = read_access(file, Overrides(amqp="elsewhere:5672"))

    assert (access.addresses.amqp_user, access.addresses.amqp_password) == ("", "")


@pytest.mark.parametrize("variable", ["FLEET_AMQP_USER", "FLEET_AMQP_PASSWORD"])
def test_a_producers_user_and_password_come_from_one_source(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "half")
    with pytest.raises(CannotStart, match="both FLEET_AMQP_USER and FLEET_AMQP_PASSWORD"):
        read_access(None, Overrides())


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (Overrides(), "no login"),
        (Overrides(email="e@example.com"), "no password for e@example.com: set FLEET_PASSWORD"),
        (Overrides(email="e@example.com", mqtt="nonsense"), "'nonsense' is not host:port"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: Overrides, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEET_PASSWORD", raising=False)

    with pytest.raises(CannotStart, match=sentence):
        read_access(None, overrides)


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_an_unreadable_access_file_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "access.json").write_text(content)

    with pytest.raises(CannotStart, match=r"access\.json"):
        read_access(tmp_path / "access.json", Overrides())

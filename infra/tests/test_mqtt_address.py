"""The MQTT port of a broker that strangers can fill listens on loopback only, unless the operator says so."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from fleet_infra import cli, compose
from fleet_infra.access import access
from fleet_infra.compose_files import write_files
from fleet_infra.fleet import Fleet
from fleet_infra.fleet_servers import fleet_servers
from fleet_infra.layout import Layout
from fleet_infra.secret_store import Secrets
from fleet_infra.servers import rabbitmq
from fleet_infra.settings import FleetSettings
from fleet_infra.testing_fleet import scratch_settings

OUTSIDE = "0.0.0.0"


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder in which the installed versions of RabbitMQ are."""
    folder = tmp_path / "lib"
    folder.mkdir()
    monkeypatch.setattr(rabbitmq, "RELEASES", folder)
    return folder


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(Layout.of_clone().root, tmp_path / ".fleet")


def native(layout: Layout, settings: FleetSettings) -> tuple[str, dict[str, Any]]:
    """Where the broker of this machine listens for MQTT, and what the fleet's owner is told."""
    servers = fleet_servers(layout, settings, Secrets())
    [line] = [
        each for each in servers.rabbitmq.configuration.splitlines() if each.startswith("mqtt.listeners")
    ]
    return line.split(" = ")[1].removesuffix(f":{settings.mqtt_port}"), access(
        layout, settings, Secrets(), servers
    )


@pytest.mark.parametrize(
    ("version", "changes", "address", "reached"),
    [
        ("3.10.8", {}, "127.0.0.1", "127.0.0.1"),
        ("3.10.8", {"bind_address": OUTSIDE}, "127.0.0.1", "127.0.0.1"),
        ("3.10.8", {"bind_address": "192.0.2.1"}, "127.0.0.1", "127.0.0.1"),
        ("3.10.8", {"mqtt_bind_address": "192.0.2.1"}, "192.0.2.1", "192.0.2.1"),
        ("3.10.8", {"bind_address": OUTSIDE, "mqtt_bind_address": OUTSIDE}, OUTSIDE, "127.0.0.1"),
        ("4.0.5", {"bind_address": "192.0.2.1"}, "192.0.2.1", "192.0.2.1"),
        ("4.0.5", {"bind_address": "192.0.2.1", "mqtt_bind_address": "127.0.0.1"}, "127.0.0.1", "127.0.0.1"),
        ("unknown", {"bind_address": OUTSIDE}, "127.0.0.1", "127.0.0.1"),
    ],
)
def test_natively_only_a_broker_that_bounds_packets_listens_outside_unasked(
    release: Path, layout: Layout, version: str, changes: dict[str, str], address: str, reached: str
) -> None:
    (release / f"rabbitmq_server-{version}").mkdir()
    settings = scratch_settings(**changes)
    found, told = native(layout, settings)
    assert (found, told["mqtt_host"]) == (address, reached)


def test_of_two_installed_brokers_the_older_one_counts(release: Path, layout: Layout) -> None:
    for version in ("3.10.8", "4.0.5"):
        (release / f"rabbitmq_server-{version}").mkdir()
    assert native(layout, scratch_settings(bind_address=OUTSIDE))[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, "127.0.0.1"),
        ({"bind_address": OUTSIDE}, OUTSIDE),
        ({"bind_address": OUTSIDE, "mqtt_bind_address": "127.0.0.1"}, "127.0.0.1"),
    ],
)
def test_in_containers_the_broker_listens_where_the_gateway_does_unless_told_otherwise(
    layout: Layout, changes: dict[str, str], address: str
) -> None:
    write_files(layout, scratch_settings(**changes))
    lines = (layout.home / "compose.env").read_text(encoding="utf-8").splitlines()
    assert f"MQTT_BIND_ADDRESS={address}" in lines


@pytest.mark.parametrize(
    ("version", "mode", "changes", "told"),
    [
        ("3.10.8", "native", {"bind_address": OUTSIDE}, True),
        ("3.10.8", "native", {}, False),
        ("3.10.8", "native", {"bind_address": OUTSIDE, "mqtt_bind_address": "127.0.0.1"}, False),
        ("4.0.5", "native", {"bind_address": OUTSIDE}, False),
        ("3.10.8", "compose", {"bind_address": OUTSIDE}, False),
    ],
)
def test_who_asked_for_an_outside_address_is_told_where_mqtt_has_none(
    release: Path,
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: str,
    mode: str,
    changes: dict[str, str],
    told: bool,
) -> None:
    (release / f"rabbitmq_server-{version}").mkdir()
    fleet = Fleet(layout, scratch_settings(**changes))
    content = {"gateway_url": "", "rabbitmq_management_url": ""}
    monkeypatch.setattr(cli, "this_fleet", lambda: fleet)
    monkeypatch.setattr(Fleet, "up", lambda *_: content)
    monkeypatch.setattr(compose, "up", lambda *_: content)
    monkeypatch.setenv("MODE", mode)
    cli.up(argparse.Namespace())
    assert ("MQTT_BIND_ADDRESS" in capsys.readouterr().out) is told

"""Impossible settings of services are refused before anything that runs is replaced."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from fleet_infra import supervisor_config
from fleet_infra.fleet import Fleet
from fleet_infra.fleet_servers import fleet_servers
from fleet_infra.layout import Layout
from fleet_infra.programs import service_environment, services
from fleet_infra.progress import Steps
from fleet_infra.secret_store import load_secrets, make_signing_key
from fleet_infra.settings import FleetSettings, SettingsRefused
from fleet_infra.settings_check import refuse_impossible
from fleet_infra.testing_fleet import scratch_settings


def environments(layout: Layout, settings: FleetSettings) -> dict[str, dict[str, str]]:
    secrets = load_secrets(layout.secrets_file)
    servers = fleet_servers(layout, settings, secrets)
    return {
        service.name: service_environment(service.name, layout, settings, secrets, servers)
        for service in services(settings)
    }


@pytest.fixture
def made(layout: Layout) -> Layout:
    layout.make()
    make_signing_key(layout.signing_key)
    return layout


def test_the_settings_of_a_fleet_are_possible_in_all_services(made: Layout) -> None:
    refuse_impossible(environments(made, scratch_settings()))


def test_each_impossible_setting_is_named_once_with_its_value_and_the_reason(made: Layout) -> None:
    settings = scratch_settings()
    settings.of_services.update(DEVICE_MAX_SESSIONS="0", DATABASE_POOL_SIZE="many")
    with pytest.raises(SettingsRefused) as refused:
        refuse_impossible(environments(made, settings))
    assert sorted(str(refused.value).splitlines()) == [
        "DATABASE_POOL_SIZE=many is not possible: Input should be a valid integer, unable to parse string "
        "as an integer.",
        "DEVICE_MAX_SESSIONS=0 is not possible: Input should be greater than or equal to 1.",
    ]


def test_what_the_fleet_gives_a_service_is_not_shown(made: Layout) -> None:
    given = environments(made, scratch_settings())["device"] | {"BROKER_MANAGEMENT_URL": "hush"}
    with pytest.raises(SettingsRefused, match=r"^BROKER_MANAGEMENT_URL is not possible: ") as refused:
        refuse_impossible({"device": given})
    assert "hush" not in str(refused.value)


@pytest.mark.usefixtures("fleet_servers")  # it makes a cluster, which only a machine with Postgres can
def test_a_fleet_that_runs_keeps_its_configuration(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    written = list[Path]()
    monkeypatch.setattr(
        supervisor_config, "write_configuration", lambda layout, _: written.append(layout.home)
    )
    settings = scratch_settings()
    settings.of_services["DEVICE_MAX_SESSIONS"] = "0"
    secrets = load_secrets(made.secrets_file)
    fleet, servers = Fleet(made, settings), fleet_servers(made, settings, secrets)
    with Steps(Console(file=io.StringIO())) as steps, pytest.raises(SettingsRefused):
        fleet._prepare(steps, secrets, servers)
    assert written == []

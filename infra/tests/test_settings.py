import subprocess
from pathlib import Path

import pytest
import yaml

from device_service.settings import DeviceSettings
from fleet_infra import gateway
from fleet_infra.compose_files import write_files
from fleet_infra.databases import MigrationFailed, migrate
from fleet_infra.fleet_servers import fleet_servers
from fleet_infra.layout import Layout
from fleet_infra.programs import service_environment
from fleet_infra.secret_store import Secrets
from fleet_infra.servers.outside import remove_data
from fleet_infra.service_settings import SERVICE_SETTINGS
from fleet_infra.settings import REGISTRATIONS_PER_DAY, FleetSettings, SettingsRefused, example, load
from fleet_kit.settings import ServiceSettings
from monitoring_service.settings import Settings as MonitoringSettings
from signing_service.settings import SigningSettings
from sim_service.settings import Settings as SimSettings

SERVICES: dict[str, type[ServiceSettings]] = {
    "signing": SigningSettings,
    "device": DeviceSettings,
    "sim": SimSettings,
    "monitoring": MonitoringSettings,
}


def env(folder: Path, text: str) -> Path:
    file = folder / ".env"
    file.write_text(text, encoding="utf-8")
    return file


def environment_of(name: str, settings: FleetSettings, folder: Path) -> dict[str, str]:
    layout, secrets = Layout(Layout.of_clone().root, folder / ".fleet"), Secrets()
    servers = fleet_servers(layout, settings, secrets)
    return service_environment(name, layout, settings, secrets, servers)


def test_an_absent_env_file_means_the_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path / ".env")

    assert settings.gateway_url == "http://localhost:8080"
    assert settings.bind_address == "127.0.0.1"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "GATEWAY_PORT=99999",
            "GATEWAY_PORT=99999 is not possible: Input should be less than or equal to 65535.",
        ),
        ("MQTT_PORT=abc", "MQTT_PORT=abc is not possible"),
        ("BIND_ADDRESS=everywhere", "BIND_ADDRESS=everywhere is not possible"),
        ("SIM_DEVICES=-1", "SIM_DEVICES=-1 is not possible"),
        ("REGISTRATION=maybe", "REGISTRATION=maybe is not possible"),
        ("REGISTRATIONS_PER_DAY=-1", "REGISTRATIONS_PER_DAY=-1 is not possible"),
        ("GATEWAY_TRUSTED_PROXIES=terminator", "GATEWAY_TRUSTED_PROXIES=terminator is not possible"),
        ("GATEWAY_TRUSTED_PROXIES=10.0.0.1,0.0.0.0/0", "is not possible: whoever trusts every address"),
        ("LOG_LEVEL=loud", "LOG_LEVEL=loud is not possible"),
    ],
)
def test_an_impossible_value_is_refused_by_name(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(SettingsRefused, match=sentence.replace(".", r"\.")):
        load(env(tmp_path, line))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("GATEWAY_PROT=1", "GATEWAY_PROT in .env is no setting; did you mean GATEWAY_PORT?"),
        ("gateway_prot=1", "gateway_prot in .env is no setting; did you mean GATEWAY_PORT?"),
        (
            "DEVICE_MAX_SESSION=",
            "DEVICE_MAX_SESSION in .env is no setting; did you mean DEVICE_MAX_SESSIONS?",
        ),
        ("XYZZY", "XYZZY in .env is no setting; those of the fleet are in .env.example."),
    ],
)
def test_a_name_that_nobody_reads_is_refused_with_the_one_that_was_meant(
    tmp_path: Path, line: str, sentence: str
) -> None:
    with pytest.raises(SettingsRefused) as refused:
        load(env(tmp_path, f"GATEWAY_PORT=7000\n{line}"))
    assert str(refused.value) == sentence


def test_a_setting_of_a_service_reaches_those_that_have_it(tmp_path: Path) -> None:
    text = "DEVICE_MAX_SESSIONS=3\nlive_connections=40\nDATABASE_POOL_SIZE=7\nGATEWAY_PORT=7000\nQUERY_REST="
    settings = load(env(tmp_path, text))
    found = {name: environment_of(name, settings, tmp_path) for name in SERVICE_SETTINGS}
    assert found["device"]["DEVICE_MAX_SESSIONS"] == "3"
    assert found["monitoring"]["LIVE_CONNECTIONS"] == "40"
    assert [name for name, given in found.items() if given.get("DATABASE_POOL_SIZE") == "7"] == [
        "signing",
        "device",
        "sim",
    ]
    assert not any({"GATEWAY_PORT", "QUERY_REST"} & set(given) for given in found.values())


def test_a_setting_of_a_service_that_containers_would_not_get_is_refused_for_them(tmp_path: Path) -> None:
    settings = load(env(tmp_path, "DEVICE_MAX_SESSIONS=3"))
    with pytest.raises(SettingsRefused, match=r"DEVICE_MAX_SESSIONS must be set in docker-compose\.yml"):
        write_files(Layout(Layout.of_clone().root, tmp_path / ".fleet"), settings)


def test_an_impossible_setting_of_a_service_is_refused_by_name_before_the_service_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there is nothing to migrate, and by whoever starts a service without `make up`."""
    layout = Layout(Layout.of_clone().root, tmp_path)
    with monkeypatch.context() as migrated:
        migrated.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0))
        migrate(layout, "device", environment_of("device", FleetSettings(), tmp_path), fresh=False)
    settings = load(env(tmp_path, "DEVICE_MAX_SESSIONS=0"))
    with pytest.raises(MigrationFailed, match=r"(?s)device_max_sessions.*greater than or equal to 1"):
        migrate(layout, "device", environment_of("device", settings, tmp_path), fresh=False)


@pytest.mark.parametrize("name", list(SERVICE_SETTINGS))
def test_the_settings_of_a_service_are_those_that_the_fleet_does_not_give_it(
    tmp_path: Path, name: str
) -> None:
    given = {variable.lower() for variable in environment_of(name, FleetSettings(), tmp_path)}
    own = set(SERVICES[name].model_fields) - given - set(FleetSettings.model_fields) - {"devices_vhost"}
    assert {one.upper() for one in own} == SERVICE_SETTINGS[name]


def test_two_servers_cannot_have_one_port(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="REDIS_PORT"):
        load(env(tmp_path, "POSTGRES_PORT=7000\nREDIS_PORT=7000"))


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", "open"),
        ("BIND_ADDRESS=127.0.0.2", "open"),
        ("BIND_ADDRESS=::1", "open"),
        ("CARRIER_URL=https://carrier.example/management-api", "closed"),
        ("BIND_ADDRESS=0.0.0.0", "closed"),
        ("BIND_ADDRESS=192.168.1.2", "closed"),
        ("GATEWAY_TRUSTED_PROXIES=127.0.0.1", "closed"),
        ("BIND_ADDRESS=0.0.0.0\nCARRIER_URL=https://carrier.example\nREGISTRATION=open", "open"),
        ("REGISTRATION=invited", "invited"),
    ],
)
def test_strangers_may_register_only_where_none_can_come_or_the_operator_says_so(
    tmp_path: Path, text: str, mode: str
) -> None:
    """And the services are told so, natively and in containers."""
    settings = load(env(tmp_path, text))
    assert settings.registration_mode() == mode
    layout = Layout(Layout.of_clone().root, tmp_path / ".fleet")
    assert environment_of("signing", settings, tmp_path)["REGISTRATION"] == mode
    write_files(layout, settings)
    lines = (layout.home / "compose.env").read_text(encoding="utf-8").splitlines()
    assert f"REGISTRATION={mode}" in lines
    assert f"CARRIER_URL={settings.carrier_url}" in lines


@pytest.mark.parametrize(
    ("text", "attempts"),
    [
        ("", 0),
        ("CARRIER_URL=https://carrier.example", 20),
        ("BIND_ADDRESS=0.0.0.0", 20),
        ("REGISTRATION=open", 20),
        ("GATEWAY_TRUSTED_PROXIES=127.0.0.1", 20),
        ("BIND_ADDRESS=0.0.0.0\nREGISTRATION=open", 20),
        ("REGISTRATIONS_PER_DAY=5", 5),
        ("BIND_ADDRESS=0.0.0.0\nREGISTRATION=open\nREGISTRATIONS_PER_DAY=0", 0),
    ],
)
def test_registering_is_unlimited_only_where_no_stranger_can_come_or_the_operator_says_so(
    tmp_path: Path, text: str, attempts: int
) -> None:
    assert load(env(tmp_path, text)).registration_limit() == attempts


def test_the_limit_of_registrations_is_that_of_the_service() -> None:
    assert SigningSettings.model_fields["registrations_per_day"].default == REGISTRATIONS_PER_DAY


def test_the_gateway_asked_to_listen_everywhere_is_reached_locally(tmp_path: Path) -> None:
    settings = load(env(tmp_path, "BIND_ADDRESS=0.0.0.0\nGATEWAY_PORT=9000"))

    assert settings.gateway_url == "http://localhost:9000"
    assert settings.reach == "127.0.0.1"


def test_the_example_names_every_setting_with_its_default() -> None:
    text = (Layout.of_clone().root / ".env.example").read_text(encoding="utf-8")

    assert text == example()
    assert all(f"#{name.upper()}=" in text for name in FleetSettings.model_fields)


def test_a_deep_folder_has_a_socket_that_the_kernel_takes(tmp_path: Path) -> None:
    deep = Layout(tmp_path, tmp_path / ("d" * 120) / ".fleet")

    assert len(str(deep.supervisor_socket)) <= 100


def test_trusted_proxies_reach_nginx_natively_and_in_containers(tmp_path: Path) -> None:
    settings = load(env(tmp_path, "GATEWAY_TRUSTED_PROXIES=127.0.0.1, 10.1.0.0/16"))
    layout = Layout(Layout.of_clone().root, tmp_path / ".fleet")
    directives = "set_real_ip_from 127.0.0.1/32; set_real_ip_from 10.1.0.0/16; real_ip_header X-"

    gateway.write_configuration(layout, settings)
    write_files(layout, settings)

    assert directives in (layout.nginx / "fleet.conf").read_text(encoding="utf-8")
    assert f"GATEWAY_REAL_IP={directives}" in (layout.home / "compose.env").read_text(encoding="utf-8")
    compose = yaml.safe_load((layout.root / "docker-compose.yml").read_text(encoding="utf-8"))
    assert compose["services"]["gateway"]["environment"]["REAL_IP"] == "${GATEWAY_REAL_IP:-}"
    remove_data(layout.home / "gateway")

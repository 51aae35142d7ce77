from pathlib import Path

import pytest

from fleet_infra.layout import Layout
from fleet_infra.settings import FleetSettings, SettingsRefused, example, load


def env(folder: Path, text: str) -> Path:
    file = folder / ".env"
    file.write_text(text, encoding="utf-8")
    return file


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
        ("LOG_LEVEL=loud", "LOG_LEVEL=loud is not possible"),
    ],
)
def test_an_impossible_value_is_refused_by_name(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(SettingsRefused, match=sentence.replace(".", r"\.")):
        load(env(tmp_path, line))


def test_two_servers_cannot_have_one_port(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="REDIS_PORT"):
        load(env(tmp_path, "POSTGRES_PORT=7000\nREDIS_PORT=7000"))


@pytest.mark.parametrize(
    ("text", "sandbox", "mode"),
    [
        ("", True, "open"),
        ("BIND_ADDRESS=127.0.0.2", True, "open"),
        ("BIND_ADDRESS=::1", True, "open"),
        ("", False, "closed"),
        ("BIND_ADDRESS=0.0.0.0", True, "closed"),
        ("BIND_ADDRESS=192.168.1.2", True, "closed"),
        ("BIND_ADDRESS=0.0.0.0\nREGISTRATION=open", False, "open"),
        ("REGISTRATION=invited", True, "invited"),
    ],
)
def test_strangers_may_register_only_where_none_can_come_or_the_operator_says_so(
    tmp_path: Path, text: str, sandbox: bool, mode: str
) -> None:
    assert load(env(tmp_path, text)).registration_mode(sandbox=sandbox) == mode


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

import json
import re
import sys

import pytest

from fleet_infra import cli, compose, compose_files
from fleet_infra.layout import Layout
from fleet_infra.testing_fleet import scratch_settings


@pytest.fixture
def clone(layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Layout:
    """This clone's commands work on a scratch folder, natively."""
    elsewhere = Layout(layout.home.parent, layout.home)
    monkeypatch.setattr(Layout, "of_clone", classmethod(lambda cls: elsewhere))
    monkeypatch.setenv("MODE", "native")
    for name in ("YES", "SERVICE", "NAME"):
        monkeypatch.delenv(name, raising=False)
    return elsewhere


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["fleet_infra", *arguments])
    cli.main()


def test_down_where_nothing_runs_says_so(
    clone: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "down")

    assert "was not running" in capsys.readouterr().out


def test_a_broken_env_file_does_not_keep_the_fleet_from_stopping(
    clone: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.env_file.write_text("GATEWAY_PORT=no")

    run(monkeypatch, "down")
    with pytest.raises(SystemExit, match="GATEWAY_PORT=no is not possible"):
        run(monkeypatch, "up")


def test_status_where_nothing_runs_fails(clone: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="not running"):
        run(monkeypatch, "status")


@pytest.mark.parametrize("name", ["", "fleet-device", "UPPER", "a/b", "1st", "a" * 64])
def test_a_producer_needs_a_name_of_its_own(
    clone: Layout, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    clone.access_file.write_text('{"rabbitmq_management_url": "http://127.0.0.1:1"}')
    with pytest.raises(SystemExit, match="NAME must be"):
        run(monkeypatch, "broker-user", "--name", name)


def test_a_producer_needs_a_running_fleet(clone: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="make up"):
        run(monkeypatch, "broker-user", "--name", "line-gateway")
    address = {"rabbitmq_management_url": "http://127.0.0.1:1", "rabbitmq_user": "", "rabbitmq_password": ""}
    clone.access_file.write_text(json.dumps(address))
    with pytest.raises(SystemExit, match="make up"):
        run(monkeypatch, "broker-user", "--name", "line-gateway")


def test_reset_without_an_answer_deletes_nothing(clone: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.secrets_file.write_text("{}")

    with pytest.raises(SystemExit, match="Nothing was deleted"):
        run(monkeypatch, "reset")

    assert clone.secrets_file.exists()


def test_reset_with_yes_deletes_everything(clone: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.secrets_file.write_text("{}")

    run(monkeypatch, "reset", "--yes")

    assert not clone.home.exists()


def test_logs_of_an_unknown_program_names_those_there_are(
    clone: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone.logs / "redis.log").write_text("hello")

    with pytest.raises(SystemExit, match="there are: redis"):
        run(monkeypatch, "logs", "--service", "rediss")


def test_logs_shows_the_end(
    clone: Layout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (clone.logs / "redis.log").write_text("hello\n")

    run(monkeypatch, "logs", "--service", "redis")

    assert capfd.readouterr().out == "hello\n"


def test_an_unknown_mode_is_refused(clone: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODE", "magic")

    with pytest.raises(SystemExit, match="MODE=magic is not possible"):
        run(monkeypatch, "down")


def test_containers_get_their_variables_and_the_brokers_files(layout: Layout) -> None:
    settings = scratch_settings()

    secrets = compose_files.write_files(layout, settings)

    variables = dict(
        line.split("=", 1) for line in (layout.home / "compose.env").read_text().splitlines() if line
    )
    definitions = json.loads((layout.home / "compose" / "definitions.json").read_text())
    configuration = (layout.home / "compose" / "rabbitmq.conf").read_text()
    assert variables["POSTGRES_ADMIN_PASSWORD"] == secrets.postgres_admin
    assert variables["GATEWAY_PORT"] == str(settings.gateway_port)
    assert {user["name"] for user in definitions["users"]} >= {"fleet-admin", "fleet-device"}
    assert "http://device-service:8002/internal/broker/user" in configuration
    assert (layout.home / "compose.env").stat().st_mode & 0o077 == 0


def test_every_variable_of_the_compose_file_is_given_a_value(layout: Layout) -> None:
    compose_files.write_files(layout, scratch_settings())
    text = (layout.root / "docker-compose.yml").read_text()

    given = {line.split("=", 1)[0] for line in (layout.home / "compose.env").read_text().splitlines()}

    assert set(re.findall(r"\$\{([A-Z_]+):\?", text)) <= given


def test_native_mode_stops_no_containers(layout: Layout) -> None:
    assert compose.down(layout) is False

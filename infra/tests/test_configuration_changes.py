"""What a changed setting or a new version replaces in a fleet that runs: the programs that it concerns."""

import configparser
import shutil
from collections.abc import Callable

import pytest
import yaml

from fleet_infra import gateway, supervisor_config
from fleet_infra.compose_files import write_files
from fleet_infra.fleet_servers import fleet_servers
from fleet_infra.layout import Layout
from fleet_infra.programs import program_groups
from fleet_infra.secret_store import load_secrets, make_signing_key
from fleet_infra.testing_fleet import scratch_settings


@pytest.fixture
def clone(layout: Layout) -> Layout:
    """A clone with templates of its own."""
    clone = Layout(layout.home.parent, layout.home)
    for name in ("gateway", "infra/compose"):
        shutil.copytree(layout.root / name, clone.root / name)
    make_signing_key(clone.signing_key)
    return clone


@pytest.fixture
def configured(clone: Layout) -> Callable[..., dict[str, str]]:
    """Writes all configuration without starting anything; what supervisord compares, by program."""
    base = scratch_settings()

    def configure(**changes: object) -> dict[str, str]:
        settings, secrets = base.model_copy(update=changes), load_secrets(clone.secrets_file)
        servers = fleet_servers(clone, settings, secrets)
        for server in (servers.rabbitmq, servers.redis, servers.postgres):
            server.prepare()
        gateway.write_configuration(clone, settings)
        groups = program_groups(clone, settings, secrets, servers)
        supervisor_config.write_configuration(clone, groups)
        written = configparser.RawConfigParser()
        written.read(clone.supervisor_conf)
        programs = [name for name in written.sections() if name.startswith("program:")]
        return {name.partition(":")[2]: str(dict(written[name])) for name in programs}

    return configure


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.mark.usefixtures("fleet_servers")  # it makes a cluster, which only a machine with Postgres can
def test_natively_what_read_the_changed_file_is_replaced(
    clone: Layout, configured: Callable[..., dict[str, str]]
) -> None:
    first = configured()
    assert differing(first, configured()) == set()

    changed = {"rabbitmq", "device-service", "device-worker"}
    assert differing(first, configured(mqtt_max_connections=7)) == changed

    template = clone.root / "gateway" / "templates" / "fleet.conf.template"
    template.write_text(template.read_text() + "# of the next version\n")
    assert differing(first, configured()) == {"nginx"}


def test_in_containers_what_read_the_changed_file_is_replaced(clone: Layout) -> None:
    """Compose makes a container anew when its description changed, of which a mounted file is no part."""
    settings = scratch_settings()

    def described() -> dict[str, str]:
        write_files(clone, settings)
        lines = (clone.home / "compose.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    first = described()
    settings = settings.model_copy(update={"mqtt_max_connections": 7})
    changed = differing(first, described())

    assert changed == {"MQTT_MAX_CONNECTIONS", "RABBITMQ_CONFIGURATION"}
    assert services_with("RABBITMQ_CONFIGURATION") == {"rabbitmq"}
    (clone.home / "compose.env").unlink()
    clone.signing_key.unlink()
    make_signing_key(clone.signing_key)
    assert differing(first, described()) == {*changed, "SIGNING_KEY_CONFIGURATION"}
    assert services_with("SIGNING_KEY_CONFIGURATION") == {"signing-service", "signing-worker"}


def services_with(variable: str) -> set[str]:
    """Services of docker-compose.yml that have the variable as a label."""
    text = (Layout.of_clone().root / "docker-compose.yml").read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"].items()
    return {name for name, service in services if f"${{{variable}:-}}" in service.get("labels", {}).values()}


def test_every_mounted_file_is_in_a_label_of_its_container() -> None:
    text = (Layout.of_clone().root / "docker-compose.yml").read_text(encoding="utf-8")
    for name, service in yaml.safe_load(text)["services"].items():
        if any(str(volume).startswith("./.fleet/") for volume in service.get("volumes", ())):
            assert "fleet.configuration" in service.get("labels", {}), name

import io
import os
import socket
from pathlib import Path

import pytest
from rich.console import Console

from fleet_infra import gateway
from fleet_infra.errors import CannotStart
from fleet_infra.fleet import Fleet
from fleet_infra.layout import Layout
from fleet_infra.progress import Steps
from fleet_infra.servers.outside import remove_data
from fleet_infra.servers.ports import free_port, lowest_port
from fleet_infra.servers.postgres import PostgresServer
from fleet_infra.testing_fleet import scratch_settings


def test_a_taken_port_is_reported_with_the_variable_that_moves_it(layout: Layout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        fleet = Fleet(layout, scratch_settings(redis_port=port))

        with pytest.raises(CannotStart, match=f"Port {port} is taken by another program: set REDIS_PORT"):
            fleet.up(Steps(Console(file=io.StringIO())))

    assert not fleet.supervisor.is_running()


def test_an_address_of_another_machine_is_refused_by_name(layout: Layout) -> None:
    fleet = Fleet(layout, scratch_settings(bind_address="192.0.2.1"))

    with pytest.raises(CannotStart, match=r"GATEWAY_PORT=\d+ cannot be used on 192\.0\.2\.1"):
        fleet.up(Steps(Console(file=io.StringIO())))


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root hears it of the gateway's port too")
@pytest.mark.parametrize("name", ["MQTT_PORT", "AMQP_PORT", "POSTGRES_PORT"])
def test_a_port_that_only_root_may_open_is_refused_for_programs_of_other_users(
    layout: Layout, name: str
) -> None:
    if lowest_port() <= 1:
        pytest.skip("this machine lets everybody open every port")
    fleet = Fleet(layout, scratch_settings(**{name.lower(): 883}))

    with pytest.raises(CannotStart, match=f"{name}=883 is not possible: its program does not run as root"):
        fleet.up(Steps(Console(file=io.StringIO())))

    assert not fleet.supervisor.is_running()


def test_the_gateway_is_rendered_with_this_fleets_addresses(layout: Layout) -> None:
    settings = scratch_settings()

    gateway.write_configuration(layout, settings)

    text = (layout.nginx / "fleet.conf").read_text()
    assert f"listen 127.0.0.1:{settings.gateway_port}" in text
    assert f"server 127.0.0.1:{settings.device_port};" in text
    assert "${" not in text
    assert "$request_id" in text


def test_an_unknown_variable_in_a_template_is_an_error() -> None:
    with pytest.raises(KeyError, match="TYPO"):
        gateway.render("listen ${TYPO};", {})


def test_progress_without_a_terminal_is_one_line_for_each_step() -> None:
    output = io.StringIO()

    with Steps(Console(file=output)) as steps, steps.step("Postgres"):
        pass

    assert output.getvalue().startswith("✓ Postgres 0.0 s")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's data lies elsewhere")
def test_roots_cluster_lies_where_postgres_can_enter_and_goes_with_its_link(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "postgres", free_port(), "secret-of-this-test", durable=False)

    server.prepare()
    data = server.folder.resolve()

    assert data.is_relative_to("/var/lib/fleet")
    assert (server.folder / "PG_VERSION").exists()
    remove_data(server.folder)
    assert not data.exists()
    assert not data.with_suffix(".link").exists()

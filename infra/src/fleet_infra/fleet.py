"""One fleet without Docker: up, down, and what is left behind."""

import contextlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from fleet_infra import gateway, supervisor
from fleet_infra.access import access, write_access
from fleet_infra.databases import DATABASES, make_databases, migrate
from fleet_infra.health import wait_healthy
from fleet_infra.layout import Layout
from fleet_infra.programs import program_groups, service_environment
from fleet_infra.progress import Steps
from fleet_infra.secret_store import Secrets, load_secrets, make_signing_key
from fleet_infra.servers import Server, wait_ready
from fleet_infra.servers.ports import is_taken
from fleet_infra.servers.postgres import remove_cluster
from fleet_infra.servers_of_fleet import FleetServers, fleet_servers
from fleet_infra.settings import FleetSettings

SERVER_SECONDS = 90.0
HEALTH_SECONDS = 120.0
OUTSIDE_PORTS = ("GATEWAY_PORT", "MQTT_PORT")


class CannotStart(Exception):
    """The fleet cannot be started as things are; the text is for the person who tried."""


@dataclass(frozen=True)
class Fleet:
    """A fleet with its settings; nothing is made before `up`."""

    layout: Layout
    settings: FleetSettings

    @property
    def supervisor(self) -> supervisor.Supervisor:
        """Its supervisor, running or not."""
        return supervisor.Supervisor(self.layout)

    def up(self, steps: Steps) -> dict[str, Any]:
        """Bring up what does not run yet, wait until all is well, and return the content of access.json."""
        self.layout.make()
        secrets = load_secrets(self.layout.secrets_file)
        make_signing_key(self.layout.signing_key)
        servers = fleet_servers(self.layout, self.settings, secrets)
        if not self.supervisor.is_running():
            stop_orphans(self.layout)
        self._refuse_taken_ports()
        self._prepare(steps, secrets, servers)
        self._start(steps, secrets, servers)
        content = self._publish_access(secrets, servers)
        if self.settings.sim_devices:
            with steps.step("Simulated devices"):
                register_demo(self.settings, secrets)
                self.supervisor.start_group("simulator")
                content = self._publish_access(secrets, servers)
        return content

    def down(self) -> bool:
        """Stop everything; False when nothing ran."""
        stopped = self.supervisor.stop()
        orphans = stop_orphans(self.layout)
        for file in (*self.layout.pids.glob("*.pid"), self.layout.home / "ports.json"):
            file.unlink(missing_ok=True)
        return stopped or orphans

    def reset(self) -> None:
        """Stop everything and delete all data, secrets included."""
        self.down()
        remove_cluster(self.layout.home / "postgres")
        shutil.rmtree(self.layout.home, ignore_errors=True)

    def _refuse_taken_ports(self) -> None:
        record = self.layout.home / "ports.json"
        ours = set(json.loads(record.read_text()).values()) if record.exists() else set()
        taken = []
        for name, port in self.settings.ports().items():
            address = self.settings.bind_address if name in OUTSIDE_PORTS else "127.0.0.1"
            if not (port in ours and self.supervisor.is_running()) and is_taken(port, address):
                taken.append(f"Port {port} is taken by another program: set {name} in .env to a free one.")
        if taken:
            raise CannotStart("\n".join(taken))
        record.write_text(json.dumps(self.settings.ports()))

    def _prepare(self, steps: Steps, secrets: Secrets, servers: FleetServers) -> None:
        with steps.step("Files"), ThreadPoolExecutor() as pool:
            jobs: list[Future[None]] = [pool.submit(server.prepare) for server in servers.all()]
            gateway.write_configuration(self.layout, self.settings)
            groups = program_groups(self.layout, self.settings, secrets, servers)
            supervisor.write_configuration(self.layout, groups)
            for job in jobs:
                job.result()

    def _start(self, steps: Steps, secrets: Secrets, servers: FleetServers) -> None:
        self.supervisor.start()
        self.supervisor.start_group("servers")
        with ThreadPoolExecutor() as pool:
            broker = pool.submit(_wait, steps, "RabbitMQ", servers.rabbitmq)
            stores = [
                pool.submit(_wait, steps, "Redis", servers.redis),
                pool.submit(_wait, steps, "MongoDB", servers.mongo),
                pool.submit(self._databases, steps, secrets, servers),
            ]
            for job in stores:
                job.result()
            # Services reach the broker when it is there; loading them takes as long as it takes to boot.
            self.supervisor.start_group("services")
            self.supervisor.start_group("gateway")
            broker.result()
        with steps.step("Services"):
            wait_healthy(self.settings, HEALTH_SECONDS)

    def _databases(self, steps: Steps, secrets: Secrets, servers: FleetServers) -> None:
        _wait(steps, "Postgres", servers.postgres)
        with steps.step("Databases"), ThreadPoolExecutor() as pool:
            fresh = make_databases(servers.postgres.admin_url, secrets)

            def run(name: str) -> None:
                environment = service_environment(name, self.layout, self.settings, secrets, servers)
                migrate(self.layout, name, environment, fresh=name in fresh)

            list(pool.map(run, DATABASES))

    def _publish_access(self, secrets: Secrets, servers: FleetServers) -> dict[str, Any]:
        content = access(self.layout, self.settings, secrets, servers)
        write_access(self.layout, content)
        return content


def _wait(steps: Steps, title: str, server: Server) -> None:
    with steps.step(title):
        wait_ready(server, SERVER_SECONDS)


def register_demo(settings: FleetSettings, secrets: Secrets) -> None:
    """Register the owner of the simulated devices through the public API, once."""
    credentials = {"email": settings.demo_email, "password": secrets.demo_password}
    with httpx.Client(base_url=f"{settings.gateway_url}/api/v1", timeout=20, trust_env=False) as client:
        if client.post("/auth/login", json=credentials).status_code == httpx.codes.OK:
            return
        answer = client.post("/auth/register", json={**credentials, "organization_name": "Demo"})
    if answer.status_code != httpx.codes.CREATED:
        raise CannotStart(f"The account {settings.demo_email} could not be registered: {answer.text[:300]}")


def stop_orphans(layout: Layout) -> bool:
    """Stop programs that outlived their supervisor; True when there were some."""
    found = [process for file in layout.pids.glob("*.pid") if (process := _started_by(file)) is not None]
    _signal(found, lambda process: process.terminate())
    _, alive = psutil.wait_procs(found, timeout=30)
    _signal(alive, lambda process: process.kill())
    psutil.wait_procs(alive, timeout=5)
    return bool(found)


def _started_by(file: Path) -> psutil.Process | None:
    """The process a pid file was written for, unless it ended and its number went to another."""
    with contextlib.suppress(psutil.Error, ValueError):
        process = psutil.Process(int(file.read_text()))
        if process.create_time() <= file.stat().st_mtime + 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _signal(processes: list[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            send(process)

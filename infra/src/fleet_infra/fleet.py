"""Bringing up one fleet without Docker."""

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fleet_infra import gateway, supervisor_config
from fleet_infra.access import access, write_access
from fleet_infra.databases import DATABASES, is_migrated, make_databases, migrate
from fleet_infra.demo import give_sims, grant_owner, register_owner
from fleet_infra.errors import CannotStart
from fleet_infra.fleet_servers import FleetServers, fleet_servers, mqtt_address
from fleet_infra.health import wait_healthy
from fleet_infra.layout import Layout
from fleet_infra.programs import program_groups, service_environment, services
from fleet_infra.progress import Steps
from fleet_infra.sandbox_state import make_sandbox_folder
from fleet_infra.secret_store import Secrets, lend_signing_key, load_secrets, make_signing_key
from fleet_infra.servers import Server, wait_ready
from fleet_infra.servers.accounts import service_account
from fleet_infra.servers.ports import is_taken, lowest_port
from fleet_infra.settings import LOOPBACK, FleetSettings
from fleet_infra.settings_check import refuse_impossible
from fleet_infra.supervisor import Supervisor
from fleet_infra.teardown import stop_orphans

PID_SECONDS = 5.0


@dataclass(frozen=True)
class Fleet:
    """A fleet with its settings; nothing is made before `up`.

    `start_seconds`: what each server, and then the services together, may take until they are well.
    """

    layout: Layout
    settings: FleetSettings
    start_seconds: float = 120.0

    @property
    def supervisor(self) -> Supervisor:
        """Its supervisor, running or not."""
        return Supervisor(self.layout)

    def up(self, steps: Steps) -> dict[str, Any]:
        """Bring up what does not run yet, wait until all is well, and return the content of access.json."""
        self.layout.make()
        secrets = load_secrets(self.layout.secrets_file)
        make_signing_key(self.layout.signing_key)
        lend_signing_key(self.layout)
        make_sandbox_folder(self.layout)
        servers = fleet_servers(self.layout, self.settings, secrets)
        if not self.supervisor.is_running():
            stop_orphans(self.layout)
        self._refuse_taken_ports()
        self._prepare(steps, secrets, servers)
        self._start(steps, secrets, servers)
        content = self._publish_access(secrets, servers)
        if self.settings.sim_devices:
            with steps.step("Simulated devices"):
                owner = register_owner(self.settings, secrets)
                self.supervisor.start_group("simulator")
                self._await_pid("device-simulator")
                content = self._publish_access(secrets, servers)
            if not self.settings.carrier_url:  # a real carrier's SIMs and money are not for trying
                with steps.step("SIM cards"):
                    grant_owner(self.settings, secrets)
                    if owner is not None and self.settings.sandbox_sims:
                        give_sims(self.settings, secrets, owner)
        return content

    def _refuse_taken_ports(self) -> None:
        record = self.layout.ports_file
        known = self.supervisor.is_running() and record.exists()
        ours = set(json.loads(record.read_text(encoding="utf-8")).values()) if known else set()
        refused = []
        outside = {"GATEWAY_PORT": self.settings.bind_address, "MQTT_PORT": mqtt_address(self.settings)}
        for name, port in self.settings.ports().items():
            address = outside.get(name, LOOPBACK)
            try:
                if port not in ours and self._is_out_of_reach(name, port):
                    refused.append(
                        f"{name}={port} is not possible: its program does not run as root, which ports below "
                        f"{lowest_port()} are for; choose another in .env, and forward this one to it."
                    )
                elif port not in ours and is_taken(port, address):
                    refused.append(
                        f"Port {port} is taken by another program: set {name} in .env to a free one."
                    )
            except OSError as error:
                refused.append(f"{name}={port} cannot be used on {address}: {error.strerror}.")
        if refused:
            raise CannotStart("\n".join(refused))
        record.write_text(json.dumps(self.settings.ports()), encoding="utf-8")

    @staticmethod
    def _is_out_of_reach(name: str, port: int) -> bool:
        """Of root's programs only nginx opens its port before it becomes another user."""
        return service_account() is not None and name != "GATEWAY_PORT" and port < lowest_port()

    def _prepare(self, steps: Steps, secrets: Secrets, servers: FleetServers) -> None:
        with steps.step("Files"), ThreadPoolExecutor() as pool:
            jobs: list[Future[None]] = [pool.submit(server.prepare) for server in servers.all()]
            gateway.write_configuration(self.layout, self.settings)
            for job in jobs:
                job.result()
        self._refuse_impossible_settings(secrets, servers)
        # Only a prepared server knows where its data lies.
        groups = program_groups(self.layout, self.settings, secrets, servers)
        supervisor_config.write_configuration(self.layout, groups)

    def _refuse_impossible_settings(self, secrets: Secrets, servers: FleetServers) -> None:
        environments = {
            service.name: service_environment(service.name, self.layout, self.settings, secrets, servers)
            for service in services(self.settings)
        }
        refuse_impossible(
            {
                name: environment
                for name, environment in environments.items()
                if not is_migrated(self.layout, name, environment)
            }
        )

    def _start(self, steps: Steps, secrets: Secrets, servers: FleetServers) -> None:
        self.supervisor.start()
        self.supervisor.start_group("servers")
        with ThreadPoolExecutor() as pool:
            broker = pool.submit(self._wait_ready, steps, "RabbitMQ", servers.rabbitmq)
            stores = [
                pool.submit(self._wait_ready, steps, "Redis", servers.redis),
                pool.submit(self._documents, steps, secrets, servers),
                pool.submit(self._databases, steps, secrets, servers),
            ]
            for job in stores:
                job.result()
            # Services reach the broker when it is there; loading them takes as long as it takes to boot.
            self.supervisor.start_group("services")
            self.supervisor.start_group("gateway")
            broker.result()
        with steps.step("Services"):
            wait_healthy(self.settings, self.start_seconds)

    def _databases(self, steps: Steps, secrets: Secrets, servers: FleetServers) -> None:
        self._wait_ready(steps, "Postgres", servers.postgres)
        with steps.step("Databases"), ThreadPoolExecutor() as pool:
            fresh = make_databases(servers.postgres.admin_url, secrets)
            list(pool.map(lambda name: self._migrate(name, secrets, servers, fresh=name in fresh), DATABASES))

    def _documents(self, steps: Steps, secrets: Secrets, servers: FleetServers) -> None:
        self._wait_ready(steps, "MongoDB", servers.mongo)
        self._migrate("monitoring", secrets, servers, fresh=servers.mongo.is_fresh)

    def _migrate(self, name: str, secrets: Secrets, servers: FleetServers, *, fresh: bool) -> None:
        environment = service_environment(name, self.layout, self.settings, secrets, servers)
        migrate(self.layout, name, environment, fresh=fresh)

    def _await_pid(self, name: str) -> None:
        deadline = time.monotonic() + PID_SECONDS
        while not (self.layout.pids / f"{name}.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _publish_access(self, secrets: Secrets, servers: FleetServers) -> dict[str, Any]:
        content = access(self.layout, self.settings, secrets, servers)
        write_access(self.layout, content)
        return content

    def _wait_ready(self, steps: Steps, title: str, server: Server) -> None:
        with steps.step(title):
            wait_ready(server, self.start_seconds)

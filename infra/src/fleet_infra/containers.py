"""The servers of a test session as containers, where a Docker engine answers."""

import os
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleet_contracts.topology import DEVICES_VHOST
from fleet_infra.scratch import REDIS_DATABASES, Addresses
from fleet_infra.servers.base import NotReady, Server, wait_ready
from fleet_infra.servers.mongo import MongoServer
from fleet_infra.servers.postgres import PostgresServer
from fleet_infra.servers.redis import RedisServer

IMAGES = {
    "postgres": "postgres:16",
    "redis": "redis:7",
    "rabbitmq": "rabbitmq:4-management",
    "mongo": "mongo:8",
}
MANAGEMENT_PORT = 15672
MQTT_PORT = 1883
_NOWHERE = Path("/nonexistent")


def docker_answers() -> bool:
    """Whether a Docker engine answers on this machine, for this user."""
    try:
        answer = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and bool(answer.stdout.strip())


class ContainerServers:
    """The same as ScratchServers, with testcontainers."""

    def __init__(self) -> None:
        os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
        self._password = secrets.token_urlsafe(12)
        self._running: dict[str, Any] = {}

    def start(self, *names: str) -> None:
        """Start what is not running yet of postgres, redis, rabbitmq and mongo, side by side."""
        fresh = [name for name in names if name not in self._running]
        for name in fresh:
            self._running[name] = self._container(name)
            self._running[name].start()
        for name in fresh:
            self._wait(name)

    def stop(self) -> None:
        """Remove the containers."""
        for container in self._running.values():
            container.stop()
        self._running.clear()

    @property
    def addresses(self) -> Addresses:
        """Addresses of what runs; others are given with port 0."""
        secret = self._password
        postgres = f"127.0.0.1:{self._port('postgres', 5432)}"
        broker = f"127.0.0.1:{self._port('rabbitmq', 5672)}"
        return Addresses(
            postgres_admin_url=f"postgresql://postgres:{secret}@{postgres}/postgres",
            redis_url=f"redis://:{secret}@127.0.0.1:{self._port('redis', 6379)}/0",
            amqp_url=f"amqp://test:{secret}@{broker}",
            rabbitmq_management_url=f"http://127.0.0.1:{self._port('rabbitmq', MANAGEMENT_PORT)}",
            mongo_url=f"mongodb://127.0.0.1:{self._port('mongo', 27017)}/?directConnection=true",
            mqtt_port=self._port("rabbitmq", MQTT_PORT),
        )

    def _port(self, name: str, inside: int) -> int:
        container = self._running.get(name)
        return int(container.get_exposed_port(inside)) if container else 0

    def _container(self, name: str) -> Any:
        from testcontainers.core.container import DockerContainer

        container = DockerContainer(IMAGES[name])
        if name == "postgres":
            return container.with_env("POSTGRES_PASSWORD", self._password).with_exposed_ports(5432)
        if name == "redis":
            command = f"redis-server --requirepass {self._password} --databases {REDIS_DATABASES}"
            return container.with_command(command).with_exposed_ports(6379)
        if name == "mongo":
            return container.with_exposed_ports(27017)
        container = container.with_env("RABBITMQ_DEFAULT_USER", "test")
        container = container.with_env("RABBITMQ_DEFAULT_PASS", self._password)
        return container.with_exposed_ports(5672, MANAGEMENT_PORT, MQTT_PORT)

    def _wait(self, name: str) -> None:
        checks: dict[str, Callable[[], Server]] = {
            "postgres": lambda: PostgresServer(_NOWHERE, self._port(name, 5432), self._password),
            "redis": lambda: RedisServer(_NOWHERE, self._port(name, 6379), self._password),
            "mongo": lambda: MongoServer(_NOWHERE, self._port(name, 27017)),
        }
        if name in checks:
            wait_ready(checks[name](), timeout=120)
        else:
            self._wait_broker()

    def _wait_broker(self) -> None:
        import httpx

        deadline = time.monotonic() + 120
        while True:
            try:
                url = f"{self.addresses.rabbitmq_management_url}/api/overview"
                answer = httpx.get(url, auth=("test", self._password), timeout=3)
                if answer.status_code == httpx.codes.OK and answer.json().get("listeners"):
                    break
            except httpx.HTTPError as error:
                if time.monotonic() > deadline:
                    raise NotReady(f"rabbitmq: {error!r}") from error
            time.sleep(0.3)
        for command in (
            ["rabbitmqctl", "add_vhost", DEVICES_VHOST],
            ["rabbitmqctl", "set_permissions", "-p", DEVICES_VHOST, "test", ".*", ".*", ".*"],
            ["rabbitmqctl", "eval", f'application:set_env(rabbitmq_mqtt, vhost, <<"{DEVICES_VHOST}">>).'],
            ["rabbitmq-plugins", "enable", "rabbitmq_mqtt"],
        ):
            self._running["rabbitmq"].exec(command)

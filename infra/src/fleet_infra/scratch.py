"""Servers for tests on free ports in a temporary folder, and the addresses of others."""

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from fleet_contracts.topology import QUEUES
from fleet_infra.broker_config import Listeners, rabbitmq_conf
from fleet_infra.definitions import EVERYTHING, BrokerUser, definitions_json
from fleet_infra.device_limits import DeviceLimits
from fleet_infra.servers.mongo import MongoServer
from fleet_infra.servers.outside import remove_data
from fleet_infra.servers.ports import free_ports
from fleet_infra.servers.postgres import PostgresServer
from fleet_infra.servers.rabbitmq import RabbitPorts, RabbitServer
from fleet_infra.servers.redis import RedisServer
from fleet_infra.servers.runner import Runner

REDIS_DATABASES = 1000


@dataclass(frozen=True)
class Addresses:
    """Where running servers are, each with administrator rights."""

    postgres_admin_url: str
    redis_url: str
    amqp_url: str
    rabbitmq_management_url: str
    mongo_url: str
    mqtt_port: int = 0

    def write(self, file: Path) -> None:
        """Write for FLEET_TEST_SERVERS."""
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        fresh.replace(file)

    @classmethod
    def read(cls, file: Path) -> "Addresses":
        """What `write` wrote; unknown keys are ignored."""
        known = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{key: value for key, value in known.items() if key in cls.__dataclass_fields__})


class ScratchServers:
    """Servers in a temporary folder on free ports, each started when it is first asked for."""

    def __init__(self, durable: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fleet-test-"))
        self._runner = Runner(self._folder / "logs")
        self._password = secrets.token_urlsafe(12)
        self._started: set[str] = set()
        amqp, mqtt, management, metrics, distribution, mapper, postgres, redis, mongo = free_ports(9)
        self.postgres = PostgresServer(self._folder / "postgres", postgres, self._password, durable)
        self.redis = RedisServer(
            self._folder / "redis", redis, self._password, durable, databases=REDIS_DATABASES
        )
        self.mongo = MongoServer(self._folder / "mongo", mongo, self._password, durable)
        ports = RabbitPorts(amqp, mqtt, management, metrics, distribution, mapper)
        self.rabbitmq = scratch_broker(self._folder / "rabbitmq", ports, self._password)

    def start(self, *names: str) -> None:
        """Start what is not running yet of postgres, redis, rabbitmq and mongo, side by side."""
        fresh = [name for name in names if name not in self._started]
        if fresh:
            self._started.update(fresh)
            self._runner.start(*(getattr(self, name) for name in fresh))

    @property
    def addresses(self) -> Addresses:
        """Addresses, whether started or not."""
        return Addresses(
            postgres_admin_url=self.postgres.admin_url,
            redis_url=self.redis.url,
            amqp_url=self.rabbitmq.amqp_url(),
            rabbitmq_management_url=self.rabbitmq.management_url,
            mongo_url=self.mongo.url,
            mqtt_port=self.rabbitmq.ports.mqtt,
        )

    def stop(self) -> None:
        """Stop all and delete the folder."""
        import shutil

        self._runner.stop()
        for server in (self.postgres, self.redis, self.rabbitmq, self.mongo):
            remove_data(server.folder)
        shutil.rmtree(self._folder, ignore_errors=True)


def scratch_broker(folder: Path, ports: RabbitPorts, password: str) -> RabbitServer:
    """A broker with one administrator and the fleet's topology."""
    listeners = Listeners(
        amqp=f"127.0.0.1:{ports.amqp}",
        mqtt=f"127.0.0.1:{ports.mqtt}",
        management_port=ports.management,
        management_address="127.0.0.1",
        prometheus_port=ports.prometheus,
        prometheus_address="127.0.0.1",
    )
    admin = BrokerUser("test", password, dict.fromkeys(QUEUES, EVERYTHING), ("administrator",))
    definitions = definitions_json([admin], DeviceLimits(max_connections=1000))
    file = str(folder.absolute() / "definitions.json")
    return RabbitServer(folder, ports, rabbitmq_conf(listeners, file, None), definitions, "test", password)


SHARED = "FLEET_TEST_SERVERS"
"""Environment variable that names a file with the addresses of running servers."""


def shared_file() -> Path | None:
    """The file that the environment names, or None."""
    named = os.environ.get(SHARED)
    return Path(named) if named else None

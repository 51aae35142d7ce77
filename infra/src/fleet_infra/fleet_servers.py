"""The four servers of one fleet, from its settings and secrets."""

from dataclasses import dataclass

from fleet_infra.broker_config import Listeners, rabbitmq_conf
from fleet_infra.broker_users import BROKER_ADMIN, broker_users
from fleet_infra.definitions import definitions_json
from fleet_infra.device_limits import DeviceLimits
from fleet_infra.layout import Layout
from fleet_infra.secret_store import Secrets
from fleet_infra.servers import MongoServer, PostgresServer, RabbitServer, RedisServer, Server
from fleet_infra.servers.rabbitmq import RabbitPorts, bounds_packets
from fleet_infra.settings import FleetSettings, reach


@dataclass(frozen=True)
class FleetServers:
    """Postgres, Redis, RabbitMQ and MongoDB, each with durable data below the fleet's folder."""

    postgres: PostgresServer
    redis: RedisServer
    rabbitmq: RabbitServer
    mongo: MongoServer

    def all(self) -> tuple[Server, ...]:
        """In starting order; the slowest first."""
        return (self.rabbitmq, self.postgres, self.redis, self.mongo)


def fleet_servers(layout: Layout, settings: FleetSettings, secrets: Secrets) -> FleetServers:
    """Describe the servers; nothing is made or started."""
    return FleetServers(
        postgres=PostgresServer(layout.home / "postgres", settings.postgres_port, secrets.postgres_admin),
        redis=RedisServer(layout.home / "redis", settings.redis_port, secrets.redis),
        rabbitmq=_broker(layout, settings, secrets),
        mongo=MongoServer(layout.home / "mongo", settings.mongo_port, secrets.mongo),
    )


def mqtt_address(settings: FleetSettings) -> str:
    """Where MQTT listens with the RabbitMQ of this machine."""
    return settings.mqtt_address(bounds_packets=bounds_packets())


def _broker(layout: Layout, settings: FleetSettings, secrets: Secrets) -> RabbitServer:
    folder = layout.home.absolute() / "rabbitmq"
    listeners = Listeners(
        amqp=f"127.0.0.1:{settings.amqp_port}",
        mqtt=f"{mqtt_address(settings)}:{settings.mqtt_port}",
        management_port=settings.rabbitmq_management_port,
        management_address="127.0.0.1",
        prometheus_port=settings.rabbitmq_prometheus_port,
        prometheus_address="127.0.0.1",
    )
    configuration = rabbitmq_conf(
        listeners, str(folder / "definitions.json"), f"http://127.0.0.1:{settings.device_port}"
    )
    ports = RabbitPorts(
        amqp=settings.amqp_port,
        mqtt=settings.mqtt_port,
        management=settings.rabbitmq_management_port,
        prometheus=settings.rabbitmq_prometheus_port,
        distribution=settings.rabbitmq_distribution_port,
        mapper=settings.epmd_port,
    )
    definitions = definitions_json(broker_users(secrets), DeviceLimits(settings.mqtt_max_connections))
    return RabbitServer(
        folder,
        ports,
        configuration,
        definitions,
        BROKER_ADMIN,
        secrets.rabbitmq_admin,
        address=reach(mqtt_address(settings)),
    )

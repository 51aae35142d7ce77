"""Every program of a native fleet: its command, its environment and how it is stopped."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from fleet_infra.env_file import of_service
from fleet_infra.fleet_servers import FleetServers
from fleet_infra.gateway import nginx_process
from fleet_infra.layout import Layout
from fleet_infra.sandbox_state import world_file
from fleet_infra.secret_store import Secrets
from fleet_infra.servers import Process
from fleet_infra.servers.accounts import ENVIRONMENT, python_account
from fleet_infra.settings import FleetSettings

DRAIN_SECONDS = 30
"""How long a service may finish what it has in hand; its own grace time is 20 s."""

PUSH_USERNAME = "carrier"
"""Who the carrier says it is where it pushes to sim-service; the password is a secret of the fleet."""

Groups = dict[str, list[Process]]


@dataclass(frozen=True)
class Service:
    """One of our services, with the worker of the same image if it has one."""

    name: str
    port: int
    worker_port: int


def services(settings: FleetSettings) -> list[Service]:
    """The four services, the critical ones first."""
    return [
        Service("signing", settings.signing_port, settings.signing_worker_port),
        Service("device", settings.device_port, settings.device_worker_port),
        Service("monitoring", settings.monitoring_port, settings.monitoring_worker_port),
        Service("sim", settings.sim_port, settings.sim_worker_port),
    ]


def program_groups(
    layout: Layout, settings: FleetSettings, secrets: Secrets, servers: FleetServers
) -> Groups:
    """Programs by group; groups start in this order and stop in the opposite one."""
    return {
        "servers": [process for server in servers.all() for process in server.processes()],
        "services": [
            _as_account(process)
            for process in (
                *_services(layout, settings, secrets, servers),
                _sandbox(layout, settings, secrets),
            )
        ],
        "gateway": [nginx_process(layout)],
        "simulator": [_simulator(layout, settings)] if settings.sim_devices else [],
    }


def _as_account(process: Process) -> Process:
    """The same program as the system user where root starts it; what it reads is in its environment."""
    account = python_account()
    if account is None:
        return process
    return replace(process, user=account, directory=Path("/"), environment=process.environment | ENVIRONMENT)


def service_environment(
    name: str, layout: Layout, settings: FleetSettings, secrets: Secrets, servers: FleetServers
) -> dict[str, str]:
    """Environment of a service's API, worker and migrations."""
    common = of_service(name, settings.of_services)
    common |= _common_environment(name, settings, secrets, servers)
    if name == "monitoring":
        return common | _monitoring_environment(settings, servers)
    own = {
        "signing": {
            "SIGNING_KEY_FILE": str(layout.service_key.absolute()),
            "PLATFORM_ADMIN_EMAIL": settings.admin_email,
            "PLATFORM_ADMIN_PASSWORD": secrets.admin_password,
            "REGISTRATION": settings.registration_mode(),
            "REGISTRATIONS_PER_DAY": str(settings.registration_limit()),
        },
        "device": {
            "DEVICE_OFFLINE_AFTER_SECONDS": str(settings.device_offline_after_seconds),
            "MQTT_MAX_CONNECTIONS": str(settings.mqtt_max_connections),
            **_telemetry_rate(settings),
            "TELEMETRY_HTTP_BURST_BYTES": str(settings.telemetry_http_burst_bytes),
            "BROKER_MANAGEMENT_URL": f"http://127.0.0.1:{settings.rabbitmq_management_port}",
            "BROKER_MANAGEMENT_USER": "fleet-sessions",
            "BROKER_MANAGEMENT_PASSWORD": secrets.rabbitmq_sessions,
        },
        "sim": {
            "CARRIER_URL": settings.carrier_url or sandbox_url(settings),
            "CARRIER_CLIENT_ID": secrets.carrier_client_id,
            "CARRIER_CLIENT_SECRET": secrets.carrier_client_secret,
            "PUSH_USERNAME": PUSH_USERNAME,
            "PUSH_PASSWORD": secrets.push_password,
        },
    }
    return common | own[name] | {"DATABASE_URL": database_url(name, settings, secrets)}


def _common_environment(
    name: str, settings: FleetSettings, secrets: Secrets, servers: FleetServers
) -> dict[str, str]:
    ports = {service.name: service for service in services(settings)}
    password = getattr(secrets, f"rabbitmq_{name}")
    return {
        "ENVIRONMENT": settings.environment,
        "HOST": "127.0.0.1",
        "PORT": str(ports[name].port),
        "WORKER_PORT": str(ports[name].worker_port),
        "LOG_LEVEL": settings.log_level,
        "AMQP_URL": f"amqp://fleet-{name}:{password}@127.0.0.1:{settings.amqp_port}",
        "REDIS_URL": servers.redis.url,
        "SIGNING_URL": f"http://127.0.0.1:{settings.signing_port}",
    }


def _monitoring_environment(settings: FleetSettings, servers: FleetServers) -> dict[str, str]:
    workers = {
        f"{service.name.upper()}_WORKER_URL": f"http://127.0.0.1:{service.worker_port}"
        for service in services(settings)
    }
    return (
        workers
        | _telemetry_rate(settings)
        | {
            "DEVICE_BYTES_PER_SECOND": str(settings.device_bytes_per_second),
            "MONGO_URL": servers.mongo.url,
            "MONGO_DATABASE": "monitoring",
            "TELEMETRY_RETENTION_DAYS": str(settings.telemetry_retention_days),
            "DEVICE_OFFLINE_AFTER_SECONDS": str(settings.device_offline_after_seconds),
            "DEVICE_URL": f"http://127.0.0.1:{settings.device_port}",
            "SIM_URL": f"http://127.0.0.1:{settings.sim_port}",
        }
    )


def _telemetry_rate(settings: FleetSettings) -> dict[str, str]:
    return {"TELEMETRY_BYTES_PER_SECOND": str(settings.telemetry_bytes_per_second)}


def database_url(name: str, settings: FleetSettings, secrets: Secrets) -> str:
    """Address of a service's own database, with its own role."""
    password = getattr(secrets, f"postgres_{name}")
    return f"postgresql+asyncpg://{name}:{password}@127.0.0.1:{settings.postgres_port}/{name}"


def _services(
    layout: Layout, settings: FleetSettings, secrets: Secrets, servers: FleetServers
) -> list[Process]:
    made = []
    for service in services(settings):
        environment = service_environment(service.name, layout, settings, secrets, servers)
        module = f"{service.name}_service"
        made += [
            _python(f"{service.name}-{kind}", ("-m", name), layout, environment)
            for kind, name in (("service", module), ("worker", f"{module}.worker"))
        ]
    return made


def sandbox_url(settings: FleetSettings) -> str:
    """Where the carrier's sandbox listens."""
    return f"http://127.0.0.1:{settings.sandbox_port}"


def _sandbox(layout: Layout, settings: FleetSettings, secrets: Secrets) -> Process:
    environment = {
        "SANDBOX_PORT": str(settings.sandbox_port),
        "SANDBOX_CLIENT_ID": secrets.carrier_client_id,
        "SANDBOX_CLIENT_SECRET": secrets.carrier_client_secret,
        "SANDBOX_SIMS": str(settings.sandbox_sims),
        "SANDBOX_STATE_FILE": str(world_file(layout, settings.sandbox_sims)),
    }
    return _python("once-sandbox", (str(Path(sys.prefix) / "bin" / "once-sandbox"),), layout, environment)


def _simulator(layout: Layout, settings: FleetSettings) -> Process:
    command = [
        str(Path(sys.prefix) / "bin" / "device-simulator"),
        "--access",
        str(layout.access_file.absolute()),
    ]
    command += ["--devices", str(settings.sim_devices), "--rate", f"{settings.sim_rate:g}"]
    if settings.sandbox_sims and not settings.carrier_url:
        command += ["--sandbox-url", sandbox_url(settings)]
    return _python("device-simulator", tuple(command), layout, {})


def _python(name: str, arguments: tuple[str, ...], layout: Layout, environment: dict[str, str]) -> Process:
    key_file = environment.get("SIGNING_KEY_FILE")
    return Process(
        name,
        (sys.executable, *arguments),
        layout.home.absolute(),
        environment | {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"},
        stop_seconds=DRAIN_SECONDS,
        files=(Path(key_file),) if key_file else (),
    )

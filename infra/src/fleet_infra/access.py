"""`.fleet/access.json`: addresses and logins of the running fleet, for its owner and for tests."""

import fcntl
import json
from typing import Any

from fleet_infra.broker_users import BROKER_ADMIN
from fleet_infra.databases import DATABASES
from fleet_infra.files import write_private
from fleet_infra.fleet_servers import FleetServers, mqtt_address
from fleet_infra.layout import Layout
from fleet_infra.programs import PUSH_USERNAME, database_url, sandbox_url
from fleet_infra.secret_store import Secrets
from fleet_infra.settings import FleetSettings, reach


def access(
    layout: Layout, settings: FleetSettings, secrets: Secrets, servers: FleetServers
) -> dict[str, Any]:
    """What the file says. `pids` is kept true at every restart; `pid_files` holds the same, one file each."""
    files = {file.stem: str(file) for file in sorted(layout.pids.absolute().glob("*.pid"))}
    return {
        **addresses(settings, secrets, mqtt=mqtt_address(settings), mongo_url=servers.mongo.url),
        "sandbox_url": sandbox_url(settings),
        "postgres_url": servers.postgres.admin_url,
        "redis_url": servers.redis.url,
        "logs": str(layout.logs.absolute()),
        "pid_files": files,
        "pids": {name: int(_text(file)) for name, file in files.items()},
    }


def addresses(settings: FleetSettings, secrets: Secrets, *, mqtt: str, mongo_url: str) -> dict[str, Any]:
    """Addresses and logins that are the same wherever the servers run; `mongo_url` ends in options.

    `mqtt`: where the MQTT port listens.
    """
    databases = {name: database_url(name, settings, secrets).replace("+asyncpg", "") for name in DATABASES}
    return {
        "gateway_url": settings.gateway_url,
        "mqtt_host": reach(mqtt),
        "mqtt_port": settings.mqtt_port,
        "amqp_url": f"amqp://fleet-access:{secrets.rabbitmq_access}@127.0.0.1:{settings.amqp_port}",
        "rabbitmq_management_url": f"http://127.0.0.1:{settings.rabbitmq_management_port}",
        "rabbitmq_user": BROKER_ADMIN,
        "rabbitmq_password": secrets.rabbitmq_admin,
        "admin_email": settings.admin_email,
        "admin_password": secrets.admin_password,
        "demo_email": settings.demo_email,
        "demo_password": secrets.demo_password,
        "push_username": PUSH_USERNAME,
        "push_password": secrets.push_password,
        "mongo_url": mongo_url,
        "databases": {**databases, "monitoring": mongo_url.replace("/?", "/monitoring?")},
    }


def write_access(layout: Layout, content: dict[str, Any]) -> None:
    """Write the file, against the launchers that correct `pids` in it."""
    with (layout.home / "access.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_private(layout.access_file, json.dumps(content, indent=1) + "\n")


def _text(file: str) -> str:
    from pathlib import Path

    return Path(file).read_text(encoding="utf-8").strip()

"""The fleet as containers: the files docker-compose.yml needs, and the same commands as without Docker.

docker-compose.yml reads its variables from `.fleet/compose.env` and files from `.fleet/compose/`.
"""

import hashlib
import shutil
import subprocess
from typing import Any

from fleet_infra.access import write_access
from fleet_infra.broker_config import Listeners, rabbitmq_conf
from fleet_infra.broker_users import broker_users
from fleet_infra.databases import DATABASES
from fleet_infra.definitions import definitions_json
from fleet_infra.demo import give_sims, register_owner
from fleet_infra.errors import CannotStart
from fleet_infra.files import write_private
from fleet_infra.layout import Layout
from fleet_infra.programs import database_url
from fleet_infra.secret_store import Secrets, load_secrets, make_signing_key
from fleet_infra.settings import FleetSettings

ANYWHERE = "0.0.0.0"  # noqa: S104 - inside a container; what is published is docker-compose.yml's choice
INSIDE = Listeners(
    amqp=f"{ANYWHERE}:5672",
    mqtt=f"{ANYWHERE}:1883",
    management_port=15672,
    management_address=ANYWHERE,
    prometheus_port=15692,
    prometheus_address=ANYWHERE,
)
REDIS = (
    "requirepass {password}\nappendonly yes\nappendfsync everysec\ndir /data\nmaxmemory-policy noeviction\n"
)
MONGO_OPTIONS = "authSource=admin&directConnection=true"
FILES = ("docker-compose.yml", "infra/compose/access.yml")
READABLE = 0o644
"""A container's own user must read its files; their folder stays ours only."""


def write_files(layout: Layout, settings: FleetSettings) -> Secrets:
    """Write compose.env and the broker's files; changes nothing when they are there."""
    layout.make()
    secrets = load_secrets(layout.secrets_file)
    make_signing_key(layout.signing_key)
    folder = layout.home / "compose"
    folder.mkdir(mode=0o700, exist_ok=True)
    conf = rabbitmq_conf(INSIDE, "/etc/rabbitmq/definitions.json", "http://device-service:8002")
    for name, text in {
        "rabbitmq.conf": conf,
        "definitions.json": definitions_json(broker_users(secrets)),
        "redis.conf": REDIS.format(password=secrets.redis),
        "signing-key.pem": layout.signing_key.read_text(encoding="utf-8"),
    }.items():
        write_private(folder / name, text)
        (folder / name).chmod(READABLE)
    write_private(layout.home / "compose.env", _env(settings, secrets))
    return secrets


def up(layout: Layout, settings: FleetSettings) -> dict[str, Any]:
    """Build, start, wait until healthy; start the simulator; returns the content of access.json."""
    secrets = write_files(layout, settings)
    # By itself, `up --build` of older versions pulls an image that another service's build would make.
    _run(layout, "--profile", "simulator", "build")
    _run(layout, "up", "-d")
    content = _access(layout, settings, secrets)
    write_access(layout, content)
    _wait_gateway(settings)
    if settings.sim_devices:
        owner = register_owner(settings, secrets)
        _run(layout, "--profile", "simulator", "up", "-d")
        if owner is not None and settings.sandbox_sims:
            give_sims(settings, secrets, owner)
    return content


def down(layout: Layout) -> bool:
    """Stop and remove the containers; volumes stay."""
    if not (layout.home / "compose.env").exists():
        return False
    _run(layout, "--profile", "simulator", "down", "--remove-orphans")
    return True


def reset(layout: Layout) -> None:
    """Remove containers and volumes."""
    if (layout.home / "compose.env").exists():
        _run(layout, "--profile", "simulator", "down", "--remove-orphans", "--volumes")


def status(layout: Layout) -> int:
    """Show the containers; the exit status of compose."""
    return _run(layout, "ps", check=False)


def logs(layout: Layout, service: str) -> int:
    """Show the end of the logs; the exit status of compose."""
    return _run(layout, "logs", "--tail=100", *([service] if service else []), check=False)


def compose_command() -> list[str]:
    """`docker compose`, or the older docker-compose; raises CannotStart when there is neither."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise CannotStart(
        "Docker answers but docker compose is missing: install docker-compose, or use MODE=native."
    )


def project(layout: Layout) -> str:
    """Name of this clone's containers and volumes; another clone has another."""
    return f"fleet-{hashlib.sha256(str(layout.root).encode()).hexdigest()[:6]}"


def _run(layout: Layout, *arguments: str, check: bool = True) -> int:
    command = [*compose_command(), "-p", project(layout), "--env-file", str(layout.home / "compose.env")]
    for file in FILES:
        command += ["-f", str(layout.root / file)]
    result = subprocess.run([*command, *arguments], cwd=layout.root, check=False)
    if check and result.returncode != 0:
        raise CannotStart(f"`{' '.join([*command, *arguments])}` failed; see above.")
    return result.returncode


def _env(settings: FleetSettings, secrets: Secrets) -> str:
    values = {name.upper(): value for name, value in settings.model_dump().items()}
    for name, value in vars(secrets).items():
        complete = name.startswith("carrier") or name.endswith("password")
        values[name.upper() if complete else f"{name.upper()}_PASSWORD"] = value
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _wait_gateway(settings: FleetSettings) -> None:
    import time

    import httpx

    deadline = time.monotonic() + 180
    while True:
        try:
            if httpx.get(f"{settings.gateway_url}/health", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > deadline:
            raise CannotStart("The containers are not healthy after 180 s; see `make logs`.")
        time.sleep(0.5)


def _access(layout: Layout, settings: FleetSettings, secrets: Secrets) -> dict[str, Any]:
    return {
        "gateway_url": settings.gateway_url,
        "mqtt_host": settings.reach,
        "mqtt_port": settings.mqtt_port,
        "amqp_url": f"amqp://fleet-access:{secrets.rabbitmq_access}@127.0.0.1:{settings.amqp_port}",
        "rabbitmq_management_url": f"http://127.0.0.1:{settings.rabbitmq_management_port}",
        "rabbitmq_user": "fleet-admin",
        "rabbitmq_password": secrets.rabbitmq_admin,
        "admin_email": settings.admin_email,
        "admin_password": secrets.admin_password,
        "demo_email": settings.demo_email,
        "demo_password": secrets.demo_password,
        "postgres_url": f"postgresql://postgres:{secrets.postgres_admin}@127.0.0.1:{settings.postgres_port}/postgres",
        "mongo_url": f"mongodb://fleet:{secrets.mongo}@127.0.0.1:{settings.mongo_port}/?{MONGO_OPTIONS}",
        "redis_url": f"redis://:{secrets.redis}@127.0.0.1:{settings.redis_port}/0",
        "databases": {
            **{name: database_url(name, settings, secrets).replace("+asyncpg", "") for name in DATABASES},
            "monitoring": f"mongodb://fleet:{secrets.mongo}@127.0.0.1:{settings.mongo_port}/monitoring?{MONGO_OPTIONS}",
        },
        "pids": {},
        "containers": f"docker ps --filter label=com.docker.compose.project={project(layout)}",
    }

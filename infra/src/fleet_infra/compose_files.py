"""The files that docker-compose.yml needs: variables in `.fleet/compose.env`, others in `.fleet/compose/`."""

import os

from fleet_infra.broker_config import Listeners, rabbitmq_conf
from fleet_infra.broker_users import broker_users
from fleet_infra.definitions import definitions_json
from fleet_infra.files import write_private
from fleet_infra.layout import Layout
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
    "requirepass {password}\nappendonly yes\nappendfsync everysec\ndir /data\n"
    "maxmemory 160mb\nmaxmemory-policy noeviction\n"
)
"""Its container has 256 MB: when the cache fills Redis it refuses writes, which everybody can do without."""
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


def _env(settings: FleetSettings, secrets: Secrets) -> str:
    values = {name.upper(): value for name, value in settings.model_dump().items()}
    values["REGISTRATION"] = settings.registration_mode(sandbox=not os.environ.get("CARRIER_URL"))
    for name, value in vars(secrets).items():
        complete = name.startswith("carrier") or name.endswith("password")
        values[name.upper() if complete else f"{name.upper()}_PASSWORD"] = value
    return "".join(f"{name}={value}\n" for name, value in values.items())

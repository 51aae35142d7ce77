"""The files that docker-compose.yml needs: variables in `.fleet/compose.env`, others in `.fleet/compose/`."""

from collections.abc import Mapping

from fleet_infra.broker_config import ADVANCED, CONTAINER_WATERMARK_BYTES, Listeners, rabbitmq_conf
from fleet_infra.broker_users import broker_users
from fleet_infra.definitions import definitions_json
from fleet_infra.device_limits import DeviceLimits
from fleet_infra.files import digest, write_private
from fleet_infra.gateway import real_ip
from fleet_infra.layout import Layout
from fleet_infra.secret_store import Secrets, load_secrets, make_signing_key
from fleet_infra.servers import rabbitmq, redis
from fleet_infra.settings import FleetSettings, SettingsRefused

ANYWHERE = "0.0.0.0"  # noqa: S104 - inside a container; what is published is docker-compose.yml's choice
INSIDE = Listeners(
    amqp=f"{ANYWHERE}:5672",
    mqtt=f"{ANYWHERE}:1883",
    management_port=15672,
    management_address=ANYWHERE,
    prometheus_port=15692,
    prometheus_address=ANYWHERE,
)
REDIS = f"requirepass {{password}}\nappendonly yes\nappendfsync everysec\ndir /data\n{redis.FULL}"
CONFIGURATIONS = {
    "RABBITMQ_CONFIGURATION": rabbitmq.CONFIGURATION,
    "REDIS_CONFIGURATION": ("redis.conf",),
    "SIGNING_KEY_CONFIGURATION": ("signing-key.pem",),
}
"""Variables with a digest of mounted files: as a label it has compose make their container anew."""
READABLE = 0o644
"""A container's own user must read its files; their folder stays ours only."""


def write_files(layout: Layout, settings: FleetSettings) -> Secrets:
    """Write compose.env and the broker's files; changes nothing when they are there.

    Raises SettingsRefused for settings of single services, which do not reach containers from `.env`.
    """
    if settings.of_services:
        names = ", ".join(settings.of_services)
        raise SettingsRefused(f"With containers, {names} must be set in docker-compose.yml, not in .env.")
    layout.make()
    secrets = load_secrets(layout.secrets_file)
    make_signing_key(layout.signing_key)
    folder = layout.home / "compose"
    folder.mkdir(mode=0o700, exist_ok=True)
    conf = rabbitmq_conf(
        INSIDE,
        "/etc/rabbitmq/definitions.json",
        "http://device-service:8002",
        watermark_bytes=CONTAINER_WATERMARK_BYTES,
    )
    limits = DeviceLimits(settings.mqtt_max_connections)
    files = {
        "rabbitmq.conf": conf,
        "advanced.config": ADVANCED,
        "definitions.json": definitions_json(broker_users(secrets), limits),
        "redis.conf": REDIS.format(password=secrets.redis),
        "signing-key.pem": layout.signing_key.read_text(encoding="utf-8"),
    }
    for name, text in files.items():
        write_private(folder / name, text)
        (folder / name).chmod(READABLE)
    files["enabled_plugins"] = (layout.root / "infra/compose/enabled_plugins").read_text(encoding="utf-8")
    write_private(layout.home / "compose.env", _env(settings, secrets, files))
    return secrets


def _env(settings: FleetSettings, secrets: Secrets, files: Mapping[str, str]) -> str:
    values = {name.upper(): value for name, value in settings.model_dump().items()}
    values["MQTT_BIND_ADDRESS"] = settings.mqtt_address(bounds_packets=True)
    values["REGISTRATION"] = settings.registration_mode()
    values["REGISTRATIONS_PER_DAY"] = settings.registration_limit()
    values["GATEWAY_REAL_IP"] = real_ip(settings.trusted_proxies())
    for variable, names in CONFIGURATIONS.items():
        values[variable] = digest(files[name].encode() for name in names)
    if settings.carrier_url:
        # Simulated devices use the sandbox's SIMs only where it is the carrier.
        values["FLEET_SANDBOX_URL"] = ""
    for name, value in vars(secrets).items():
        complete = name.startswith("carrier") or name.endswith("password")
        values[name.upper() if complete else f"{name.upper()}_PASSWORD"] = value
    return "".join(f"{name}={value}\n" for name, value in values.items())

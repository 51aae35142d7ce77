"""Every setting of a fleet on one machine: `.env` in the project's folder, or environment variables."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet_infra import env_file as dotenv

Port = Annotated[int, Field(ge=1, le=65535)]

LOOPBACK = "127.0.0.1"
REGISTRATIONS_PER_DAY = 20
"""As in signing-service."""


class SettingsRefused(Exception):
    """A setting is impossible; the text is one sentence per setting, naming it."""


class FleetSettings(BaseSettings):
    """Ports, addresses and sizes. Descriptions are what .env.example says."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)
    _of_services: dict[str, str] = PrivateAttr(default_factory=dict)

    bind_address: str = Field(
        "127.0.0.1", description="where the gateway and the MQTT port listen; all else stays on 127.0.0.1"
    )
    mqtt_bind_address: str = Field(
        "",
        description="where the MQTT port listens; without a value BIND_ADDRESS, or without containers "
        "127.0.0.1 where RabbitMQ is older than version 4: whoever reaches its port can fill its memory",
    )
    gateway_port: Port = Field(8080, description="page and API")
    mqtt_port: Port = Field(1883, description="devices over MQTT")
    amqp_port: Port = Field(5672, description="trusted producers over AMQP; devices may not")
    rabbitmq_management_port: Port = Field(15672, description="RabbitMQ's own pages and API")
    rabbitmq_prometheus_port: Port = Field(15692, description="RabbitMQ's metrics")
    rabbitmq_distribution_port: Port = Field(25673, description="Erlang distribution of the broker")
    epmd_port: Port = Field(4370, description="Erlang port mapper of the broker")
    postgres_port: Port = Field(5433, description="Postgres")
    redis_port: Port = Field(6380, description="Redis")
    mongo_port: Port = Field(27018, description="MongoDB protocol")
    signing_port: Port = Field(8001, description="signing-service")
    signing_worker_port: Port = Field(8101, description="health and metrics of its worker")
    device_port: Port = Field(8002, description="device-service")
    device_worker_port: Port = Field(8102, description="health and metrics of its worker")
    sim_port: Port = Field(8003, description="sim-service")
    sim_worker_port: Port = Field(8103, description="health and metrics of its worker")
    monitoring_port: Port = Field(8004, description="monitoring-service")
    monitoring_worker_port: Port = Field(8104, description="health and metrics of its worker")
    sandbox_port: Port = Field(8010, description="the local sandbox of the carrier's API")
    environment: Literal["development", "production"] = Field(
        "production", description="environment that services report"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="of every service")
    admin_email: str = Field(
        "admin@fleet.example.com",
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="platform administrator, made at first start",
    )
    demo_email: str = Field(
        "demo@fleet.example.com", pattern=r"^[^@\s]+@[^@\s]+$", description="owns the simulated devices"
    )
    registration: Literal["open", "invited", "closed"] | None = Field(
        None,
        description="who may register: anybody (open), or only the platform administrator (invited, closed); "
        "without a value open while BIND_ADDRESS is loopback, GATEWAY_TRUSTED_PROXIES empty and the carrier "
        "the sandbox",
    )
    gateway_trusted_proxies: str = Field(
        "",
        description="addresses and networks of the proxies in front of the gateway (TLS, load balancers), "
        "separated by commas: their X-Forwarded-For tells the client's address; empty: nobody's does",
    )
    mqtt_max_connections: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="MQTT sessions that the broker takes at a time, of all devices",
    )
    telemetry_bytes_per_second: int = Field(
        256 * 1024,
        ge=1024,
        le=2**40,
        description="bytes of readings a second that one organisation may send: over HTTP always, over MQTT "
        "while readings wait to be stored",
    )
    device_bytes_per_second: int = Field(
        64 * 1024,
        ge=256,
        le=2**40,
        description="bytes of readings a second that one device may send over MQTT while readings wait",
    )
    telemetry_http_burst_bytes: int = Field(
        1024 * 1024,
        ge=1024 * 1024,
        le=2**40,
        description="bytes of readings that one organisation may send over HTTP at once",
    )
    registrations_per_day: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="attempts to register that strangers may make a day from one address (of IPv6: one /64), "
        "0 for no limit; without a value 0 where REGISTRATION has none and is open, else 20",
    )
    sim_devices: int = Field(25, ge=0, le=10_000, description="simulated devices; 0 starts no simulator")
    sim_rate: float = Field(1.0, gt=0, le=1000, description="readings per second of each simulated device")
    carrier_url: str = Field(
        "",
        pattern=r"^(https?://[^@?#\s]+)?$",
        description="base address of a real carrier's API; without a value the sandbox",
    )
    sandbox_sims: int = Field(100, ge=0, le=1_000_000, description="SIM cards in the carrier's sandbox")
    telemetry_retention_days: int = Field(90, ge=1, le=3650, description="how long readings are kept, days")
    device_offline_after_seconds: int = Field(
        60, ge=1, le=86_400, description="silence that makes a device offline"
    )

    @field_validator("bind_address", "mqtt_bind_address")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value:
            ipaddress.ip_address(value)
        return value

    @field_validator("gateway_trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks = [ipaddress.ip_network(entry.strip()) for entry in value.split(",") if entry.strip()]
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("whoever trusts every address lets each client choose its own")
        return ",".join(map(str, networks))

    def trusted_proxies(self) -> list[str]:
        """`gateway_trusted_proxies`, each in the notation of networks."""
        return [entry for entry in self.gateway_trusted_proxies.split(",") if entry]

    def registration_mode(self) -> str:
        """`registration`, or what suits where the gateway listens, behind what, and who the carrier is."""
        return self.registration or ("open" if self._is_private() else "closed")

    def registration_limit(self) -> int:
        """`registrations_per_day`, or no limit where registration is open because no stranger can come."""
        if self.registrations_per_day is not None:
            return self.registrations_per_day
        return 0 if self.registration is None and self._is_private() else REGISTRATIONS_PER_DAY

    def _is_private(self) -> bool:
        """No stranger can come: neither to the gateway itself, nor through a proxy in front of it."""
        outside = self.carrier_url or self.gateway_trusted_proxies
        return not outside and ipaddress.ip_address(self.bind_address).is_loopback

    @property
    def reach(self) -> str:
        """The address by which this machine itself reaches what listens on `bind_address`."""
        return reach(self.bind_address)

    def mqtt_address(self, *, bounds_packets: bool) -> str:
        """Where MQTT listens. `bounds_packets`: the broker refuses too large ones before they are whole."""
        return self.mqtt_bind_address or (self.bind_address if bounds_packets else LOOPBACK)

    @property
    def gateway_url(self) -> str:
        """Address of the gateway for programs on this machine."""
        host = f"[{self.reach}]" if ":" in self.reach else self.reach
        return f"http://{host.replace('127.0.0.1', 'localhost')}:{self.gateway_port}"

    @property
    def of_services(self) -> dict[str, str]:
        """Settings in `.env` that are no setting of the fleet but of some of its services."""
        return self._of_services

    def ports(self) -> dict[str, int]:
        """Every port under the name of its variable."""
        return {
            name.upper(): getattr(self, name) for name in type(self).model_fields if name.endswith("_port")
        }


def reach(address: str) -> str:
    """The address by which this machine itself reaches what listens on `address`."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(address, address)  # noqa: S104


def load(env_file: Path) -> FleetSettings:
    """Read `.env` and the environment; raises SettingsRefused."""
    of_fleet = {name.upper() for name in FleetSettings.model_fields}
    if sentences := dotenv.unknown(env_file, of_fleet):
        raise SettingsRefused("\n".join(sentences))
    try:
        settings = FleetSettings(_env_file=env_file)
    except ValidationError as error:
        raise SettingsRefused(
            "\n".join(refusal(entry, entry["input"]) for entry in error.errors())
        ) from error
    refuse_shared_ports(settings)
    settings._of_services = {
        name: value for name, value in dotenv.read(env_file).items() if name not in of_fleet
    }
    return settings


def refuse_shared_ports(settings: FleetSettings) -> None:
    """Raise SettingsRefused where two variables name the same port."""
    seen: dict[int, str] = {}
    for name, port in settings.ports().items():
        if port in seen:
            raise SettingsRefused(f"{seen[port]} and {name} are both {port}; every port must be different.")
        seen[port] = name


def refusal(entry: Mapping[str, Any], value: object) -> str:
    """A sentence for what pydantic says of a setting; `value` None: it is not to be shown."""
    name = str(entry["loc"][0]).upper() if entry["loc"] else "The settings"
    shown = name if value is None else f"{name}={value}"
    return f"{shown} is not possible: {str(entry['msg']).removeprefix('Value error, ')}."


def example() -> str:
    """Text of .env.example."""
    lines = [
        "# Settings of a fleet on one machine. Copy to .env and change what you need;",
        "# every value below is the default.",
        "# Secrets are not here: `make up` makes them once, in .fleet/.",
        "# Without containers, settings of single services (such as DEVICE_MAX_SESSIONS) can stand here too:",
        "# what they mean is in settings.py of the service. Any other name is refused.",
        "",
    ]
    for name, field in FleetSettings.model_fields.items():
        default = "" if field.default is None else field.default
        lines += [f"# {field.description}", f"#{name.upper()}={default}"]
    return "\n".join(lines) + "\n"

"""Every setting of device-service."""

from functools import lru_cache

from pydantic import Field

from fleet_kit.middleware import MAX_BODY_BYTES
from fleet_kit.settings import DatabaseSettings, DeviceBrokerSettings, Port, Secret, ServiceSettings


class DeviceSettings(ServiceSettings, DatabaseSettings, DeviceBrokerSettings):
    """Settings of the API and the worker; each is an environment variable of the same name."""

    port: Port = 8002
    worker_port: Port = Field(8102, description="port of the worker's /health and /metrics")
    device_offline_after_seconds: float = Field(
        60, gt=0, le=86_400, description="a device that was not heard for this long is offline"
    )
    device_sweep_every_seconds: float = Field(
        2, gt=0, le=600, description="pause between two searches for devices that fell silent"
    )
    devices_per_organization: int = Field(
        100_000,
        ge=0,
        description="devices of an organisation, unless the platform administrator gives it another limit",
    )
    device_events_per_organization: int = Field(
        1_000_000,
        ge=0,
        description="events that an organisation's devices have reported and that are kept, likewise",
    )
    device_events_per_second: float = Field(
        50,
        gt=0,
        le=1_000_000,
        description="events a second that an organisation's devices may report to one process",
    )
    telemetry_http_burst_bytes: int = Field(
        MAX_BODY_BYTES,
        ge=MAX_BODY_BYTES,
        le=2**40,
        description="bytes of readings that one organisation may send to one process over HTTP at once; "
        "not less than one body may have",
    )
    device_events_burst: int = Field(
        1000, ge=1, le=1_000_000, description="events that they may report to it at once"
    )
    device_events_kept_days: int = Field(
        400, ge=1, le=3660, description="age in days at which events that devices reported are deleted"
    )

    device_max_sessions: int = Field(
        10, ge=1, le=1000, description="MQTT sessions that one device may have open at a time"
    )
    mqtt_max_connections: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="MQTT sessions of all devices for which the broker has room; one organisation gets half",
    )
    broker_management_url: str = Field(
        pattern=r"^https?://[^@?#]+[^/@?#]$",
        description="RabbitMQ's management API, without a slash at the end: counts and ends sessions",
    )
    broker_management_user: str = Field(min_length=1, description="a broker user with the tag administrator")
    broker_management_password: Secret


@lru_cache
def settings() -> DeviceSettings:
    """The settings of this process, read once."""
    return DeviceSettings()

"""Every setting of device-service."""

from functools import lru_cache

from pydantic import Field
from yarl import URL

from fleet_kit.settings import DatabaseSettings, Port, Secret, ServiceSettings


class DeviceSettings(ServiceSettings, DatabaseSettings):
    """Settings of the API and the worker; each is an environment variable of the same name."""

    port: Port = 8002
    worker_port: Port = Field(8102, description="port of the worker's /health and /metrics")
    device_offline_after_seconds: float = Field(
        60, gt=0, le=86_400, description="a device that was not heard for this long is offline"
    )
    device_sweep_every_seconds: float = Field(
        2, gt=0, le=600, description="pause between two searches for devices that fell silent"
    )

    broker_management_url: str = Field(
        pattern=r"^https?://[^@?#]+[^/@?#]$",
        description="RabbitMQ's management API, without a slash at the end: closes sessions of revoked keys",
    )
    broker_management_user: str = Field(min_length=1, description="a broker user with the tag administrator")
    broker_management_password: Secret

    @property
    def broker_vhost(self) -> str:
        """The one virtual host in which devices may work: the fleet's own."""
        return URL(self.amqp_url.get_secret_value()).path[1:] or "/"


@lru_cache
def settings() -> DeviceSettings:
    """The settings of this process, read once."""
    return DeviceSettings()

"""Every setting of monitoring-service, with its unit."""

from datetime import timedelta
from functools import cached_property, lru_cache

from pydantic import Field

from fleet_kit.settings import Secret, ServiceSettings, Url


class Settings(ServiceSettings):
    """Read from environment variables of the same name in upper case."""

    mongo_url: Secret
    mongo_database: str = Field("monitoring", pattern=r"^[A-Za-z0-9_-]{1,38}$")
    mongo_timeout_seconds: float = Field(
        10.0, gt=0, le=60, description="longest wait for one answer of the store"
    )
    telemetry_retention_days: int = Field(90, ge=1, le=3660, description="age at which readings are deleted")
    live_retention_days: int = Field(
        7, ge=1, le=90, description="age at which live events can no longer be resumed"
    )
    rejected_retention_days: int = Field(30, ge=1, le=366)
    device_offline_after_seconds: int = Field(
        60, ge=1, le=86400, description="silence after which a device is offline"
    )
    volume_gather_seconds: float = Field(
        300,
        gt=0,
        le=3600,
        description="a device's volume of an hour is published after this delay",
    )
    device_url: Url = "http://127.0.0.1:8002"
    sim_url: Url = "http://127.0.0.1:8003"
    batch_messages: int = Field(500, ge=1, le=2000, description="telemetry messages handled at a time")
    batch_wait_seconds: float = Field(0.03, gt=0, le=5, description="longest wait for a batch to fill")
    unknown_device_attempts: int = Field(
        4, ge=1, le=5, description="tries of a message whose device is not known yet"
    )
    live_catch_up_readings: int = Field(
        50_000, ge=1, description="a client further behind gets a gap instead"
    )
    live_queue_packets: int = Field(
        32, ge=2, le=1000, description="packets waiting for one client before it is held"
    )
    live_slow_seconds: float = Field(
        30.0, gt=0, description="time a held client has to drain before it is dropped"
    )

    @cached_property
    def retention(self) -> timedelta:
        """How long readings are kept."""
        return timedelta(days=self.telemetry_retention_days)


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()

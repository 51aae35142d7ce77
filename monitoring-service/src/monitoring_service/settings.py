"""Every setting of monitoring-service, with its unit."""

from datetime import timedelta
from functools import cached_property, lru_cache
from typing import Self

from pydantic import Field, model_validator

from fleet_contracts.telemetry import MAX_BYTES
from fleet_kit.messaging import in_vhost
from fleet_kit.settings import DeviceBrokerSettings, Secret, ServiceSettings, Url

_WORKER = "base address of the worker's /health, a part of the fleet's health"


class Settings(ServiceSettings, DeviceBrokerSettings):
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
    deleted_devices_kept_days: int = Field(
        90,
        ge=30,
        le=3660,
        description="days in which late events of a deleted device are recognised as such",
    )
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
    signing_worker_url: Url = Field("http://127.0.0.1:8101", description=_WORKER)
    device_worker_url: Url = Field("http://127.0.0.1:8102", description=_WORKER)
    sim_worker_url: Url = Field("http://127.0.0.1:8103", description=_WORKER)
    monitoring_worker_url: Url = Field("http://127.0.0.1:8104", description=_WORKER)
    device_bytes_per_second: int = Field(
        64 * 1024,
        ge=256,
        le=2**40,
        description="bytes a second of readings that one device may send over MQTT while readings wait",
    )
    device_burst_bytes: int = Field(
        MAX_BYTES, ge=MAX_BYTES, le=2**40, description="the same at once; not less than one message may have"
    )
    telemetry_mqtt_burst_bytes: int = Field(
        4 * MAX_BYTES,
        ge=MAX_BYTES,
        le=2**40,
        description="bytes of readings that all devices of one organisation may send over MQTT at once while "
        "readings wait: many that connect again together send what they kept",
    )
    batch_messages: int = Field(
        60,
        ge=1,
        le=1000,
        description="messages handled at a time; twice as many may wait in memory of readings of services, "
        "up to 4 MiB each, of devices, up to 1 MiB, and of events, beside 32 messages of devices beyond "
        "their limits and 20 of each of two queues of dead letters: the container's limit has to hold them "
        "all; fewer make small messages slower",
    )
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
    live_connect_seconds: float = Field(
        5.0, gt=0, le=60, description="time from opening a live connection to its accepted token"
    )
    live_connections: int = Field(
        2000, ge=1, description="live connections of one process; half of it for those without a token yet"
    )
    live_connections_per_address: int = Field(
        200, ge=1, description="live connections of one process with one address; of IPv6 with one /64"
    )
    live_connections_per_user: int = Field(
        100, ge=1, description="live connections of one process with one user"
    )
    live_subscribes_per_second: float = Field(
        5.0, gt=0, le=1000, description="subscriptions a second of one user to one process, in the long run"
    )
    live_subscribes_burst: int = Field(200, ge=1, le=100_000, description="the same at once")

    query_seconds: float = Field(
        15.0, gt=0, le=60, description="time of one request to read the store, waiting for its turn included"
    )
    query_readings: int = Field(
        20_000,
        ge=1000,
        le=1_000_000,
        description="readings that one request may read; each read counts as 25",
    )
    query_figures: int = Field(
        50_000, ge=1000, le=1_000_000, description="figures, of metrics and intervals, in one answer"
    )
    query_reads_at_once: int = Field(
        2,
        ge=2,
        le=100,
        description="reads of the store that requests to one process have under way at a time",
    )
    query_reads_per_organization: int = Field(
        1,
        ge=1,
        le=99,
        description="how many of these may be of one organisation; has to leave one for others",
    )
    query_waiting_per_organization: int = Field(
        50, ge=1, le=10_000, description="reads that wait for their turn; a further one is answered with 503"
    )
    query_rest: float = Field(
        3.0, ge=0, le=100, description="pause of an organisation after a read, in multiples of what it took"
    )

    @model_validator(mode="after")
    def _leave_room(self) -> Self:
        if self.query_reads_per_organization >= self.query_reads_at_once:
            raise ValueError("query_reads_per_organization has to be less than query_reads_at_once")
        return self

    @cached_property
    def devices_amqp_url(self) -> str:
        """The broker's address in the devices' virtual host; the login is the same."""
        return in_vhost(self.amqp_url.get_secret_value(), self.devices_vhost)

    @cached_property
    def retention(self) -> timedelta:
        """How long readings are kept."""
        return timedelta(days=self.telemetry_retention_days)

    @cached_property
    def deleted_devices_retention(self) -> timedelta:
        """How long deleted devices are known."""
        return timedelta(days=self.deleted_devices_kept_days)

    @cached_property
    def rejected_retention(self) -> timedelta:
        """How long rejected messages are kept."""
        return timedelta(days=self.rejected_retention_days)


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()

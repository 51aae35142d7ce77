"""Settings that every service has; a service adds its own by inheriting.

Values come from environment variables of the same name in upper case. An impossible value stops the
process with pydantic's message naming the variable.
"""

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet_contracts.topology import DEVICES_VHOST

PLACEHOLDERS = frozenset({"", "changeme", "change-me", "secret", "password", "placeholder"})


def _real_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    password = urlsplit(text).password if "://" in text else text
    if not text or (password is not None and password.lower() in PLACEHOLDERS):
        raise ValueError("is a placeholder; set a real secret")
    return value


Secret = Annotated[SecretStr, AfterValidator(_real_secret)]
"""A secret that refuses the usual placeholders and never shows in a log."""


def _network(value: str) -> str:
    ipaddress.ip_network(value)
    return value


Network = Annotated[str, AfterValidator(_network)]
"""An IP address, or a network such as 10.0.0.0/8."""

Port = Annotated[int, Field(ge=1, le=65535)]
Url = Annotated[str, Field(pattern=r"^https?://[^/]+$")]
"""Base address of an HTTP service, without a path."""


class ServiceSettings(BaseSettings):
    """What every process of every service needs."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    environment: Literal["development", "production"] = "production"
    host: str = Field("127.0.0.1", description="address that the API and the worker's health port listen on")
    port: Port = 8000
    worker_port: Port = Field(8100, description="port of the worker's /health and /metrics")
    trusted_proxies: list[Network] = Field(
        ["127.0.0.1", "::1"],
        description="addresses and networks (JSON list) from which the gateway connects; its X-Forwarded-For "
        "says the client's address, anybody else's is ignored",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    amqp_url: Secret
    redis_url: Secret
    signing_url: Url = "http://127.0.0.1:8001"
    token_issuer: str = "fleet-signing"
    token_audience: str = "fleet"
    publish_timeout_seconds: float = Field(5.0, gt=0, le=60, description="longest wait for a broker confirm")
    unproved_requests_per_second: float = Field(
        50, gt=0, description="requests without a valid credential that one address may send to one process"
    )
    unproved_requests_burst: int = Field(500, ge=1, description="the same, at once")


class DeviceBrokerSettings(BaseSettings):
    """What a service needs on top that has to do with devices at the broker."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    devices_vhost: str = Field(
        DEVICES_VHOST,
        min_length=1,
        max_length=127,
        description="RabbitMQ's virtual host of devices, for MQTT",
    )
    telemetry_bytes_per_second: int = Field(
        256 * 1024,
        ge=1024,
        le=2**40,
        description="bytes a second of readings that one organisation may send: over HTTP to one process, "
        "over MQTT while readings wait to be stored",
    )


class DatabaseSettings(BaseSettings):
    """What a service with Postgres needs on top."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    database_url: Secret = Field(description="postgresql+asyncpg://user:password@host:port/database")
    database_pool_size: int = Field(10, ge=1, le=100, description="connections kept by one process")
    database_statement_seconds: float = Field(
        30.0, ge=1, le=600, description="time after which Postgres gives up a statement, whoever waits for it"
    )
    database_pool_timeout_seconds: float = Field(
        5.0, gt=0, le=60, description="longest wait for a connection"
    )

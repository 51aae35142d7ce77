"""Settings that every service has; a service adds its own by inheriting.

Values come from environment variables of the same name in upper case. An impossible value stops the
process with pydantic's message naming the variable.
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PLACEHOLDERS = frozenset({"", "changeme", "change-me", "secret", "password", "placeholder"})


def _real_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    password = urlsplit(text).password if "://" in text else text
    if not text or (password is not None and password.lower() in PLACEHOLDERS):
        raise ValueError("is a placeholder; set a real secret")
    return value


Secret = Annotated[SecretStr, AfterValidator(_real_secret)]
"""A secret that refuses the usual placeholders and never shows in a log."""

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
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    amqp_url: Secret
    redis_url: Secret
    signing_url: Url = "http://127.0.0.1:8001"
    token_issuer: str = "fleet-signing"
    token_audience: str = "fleet"
    publish_timeout_seconds: float = Field(5.0, gt=0, le=60, description="longest wait for a broker confirm")


class DatabaseSettings(BaseSettings):
    """What a service with Postgres needs on top."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    database_url: Secret = Field(description="postgresql+asyncpg://user:password@host:port/database")
    database_pool_size: int = Field(10, ge=1, le=100, description="connections kept by one process")
    database_pool_timeout_seconds: float = Field(
        5.0, gt=0, le=60, description="longest wait for a connection"
    )

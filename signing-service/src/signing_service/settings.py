"""Every setting of signing-service."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from fleet_kit.settings import DatabaseSettings, Port, Secret, ServiceSettings

RegistrationMode = Literal["open", "invited", "closed"]


class SigningSettings(ServiceSettings, DatabaseSettings):
    """Settings of the API and the worker; each is an environment variable of the same name."""

    port: Port = 8001
    worker_port: Port = Field(8101, description="port of the worker's /health and /metrics")
    signing_key_file: Path = Field(description="PEM file with the EC P-256 private key that signs tokens")
    previous_key_files: list[Path] = Field(
        default=[], description="PEM files (JSON list) of earlier keys, public or private; still verified"
    )
    access_token_minutes: float = Field(30, gt=0, le=24 * 60, description="lifetime of an access token")
    refresh_token_days: float = Field(7, gt=0, le=365, description="lifetime of a refresh token")
    platform_admin_email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="created at the first start")
    platform_admin_password: Secret = Field(description="used at the first start only")
    registration: RegistrationMode = Field(
        "closed",
        description="who may register: anybody (open), or only the platform administrator (invited, closed)",
    )
    login_failures_per_minute: int = Field(
        10, ge=1, le=10_000, description="failed logins of one account from one address before it has to wait"
    )
    argon2_parallel: int = Field(
        2, ge=1, le=64, description="passwords hashed at the same time; each needs 64 MiB of memory"
    )


@lru_cache
def settings() -> SigningSettings:
    """The settings of this process, read once."""
    return SigningSettings()

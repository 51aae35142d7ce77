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
    sessions_per_user: int = Field(
        100, ge=1, le=10_000, description="sessions that a user has at once; one more ends the oldest"
    )
    platform_admin_email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="created at the first start")
    platform_admin_password: Secret = Field(description="used at the first start only")
    registration: RegistrationMode = Field(
        "closed",
        description="who may register: anybody (open), or only the platform administrator (invited, closed)",
    )
    registrations_per_day: int = Field(
        20,
        ge=0,
        le=1_000_000,
        description="attempts to register that strangers may make a day from one address (of IPv6: one /64); "
        "0 sets no limit",
    )
    login_failures_per_minute: int = Field(
        10, ge=1, le=10_000, description="failed logins of one account from one address before it has to wait"
    )
    login_failures_per_address_and_hour: int = Field(
        100,
        ge=5,
        le=10_000,
        description="failed logins from one address before accounts that are not known there have to wait",
    )
    argon2_parallel: int = Field(
        2, ge=1, le=64, description="passwords of users hashed at the same time; each needs 64 MiB of memory"
    )
    argon2_parallel_strangers: int = Field(
        1,
        ge=1,
        le=64,
        description="the same for registrations, unknown accounts and addresses that guess, 64 MiB each",
    )

    @property
    def refresh_tokens_per_session(self) -> int:
        """Bound of a session's refresh tokens: four times as many as it needs, at least 100.

        Used ones are kept until they expire, because a second use is how a theft shows.
        """
        kept_minutes = (self.refresh_token_days + 1) * 24 * 60
        return max(100, int(4 * kept_minutes / self.access_token_minutes))


@lru_cache
def settings() -> SigningSettings:
    """The settings of this process, read once."""
    return SigningSettings()

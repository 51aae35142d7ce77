"""Every setting of the sandbox, from the environment; the command line overrides them."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the sandbox listens on, whom it lets in and how large its world is."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    host: str = Field(default="127.0.0.1", validation_alias=AliasChoices("SANDBOX_HOST", "HOST"))
    port: int = Field(default=8010, ge=0, le=65535, validation_alias="SANDBOX_PORT")
    client_id: str = Field(default="sandbox", validation_alias="SANDBOX_CLIENT_ID")
    client_secret: SecretStr = Field(default=SecretStr("sandbox"), validation_alias="SANDBOX_CLIENT_SECRET")
    sims: int = Field(default=1000, ge=0, le=1_000_000, validation_alias="SANDBOX_SIMS")
    seed: int = Field(default=1, ge=0, validation_alias="SANDBOX_SEED")
    profile: str = Field(default="spec", pattern="^(spec|recorded)$", validation_alias="SANDBOX_PROFILE")
    state_file: Path | None = Field(default=None, validation_alias="SANDBOX_STATE_FILE")
    log_level: str = Field(default="warning", validation_alias="LOG_LEVEL")

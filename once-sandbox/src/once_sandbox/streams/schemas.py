"""Where pushes go and how they look."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from once_sandbox.wire import Text

MOST_RECORDS = 3_000


class StreamConfig(BaseModel):
    """A Data Streamer: usage records or events, to one URL (which another stream may use as well)."""

    model_config = ConfigDict(extra="forbid")

    url: Text = Field(pattern=r"^https?://", max_length=2000)
    topic: Literal["usage", "events"] = "usage"
    username: Text = ""
    password: SecretStr = SecretStr("")
    shape: Literal["nested", "flat"] = "nested"
    max_records: int = Field(MOST_RECORDS, ge=1, le=MOST_RECORDS)
    interval_seconds: float = Field(
        1.0, gt=0, description="pause between two posts while nothing fails, real time"
    )
    timeout_seconds: float = Field(10.0, gt=0, le=120)
    give_up_after: int = Field(20, ge=1, description="failed attempts in a row that stop the stream")
    retry_seconds: float = Field(
        1.0, gt=0, description="pause after the first failure; it doubles up to a minute"
    )


class ForwarderConfig(BaseModel):
    """The SMS Forwarder: messages from SIMs by POST, delivery reports by PATCH, to one URL."""

    model_config = ConfigDict(extra="forbid")

    url: Text = Field(pattern=r"^https?://", max_length=2000)
    username: Text = ""
    password: SecretStr = SecretStr("")
    headers: dict[str, str] = {}
    reports: bool = Field(default=True, description="send delivery reports")
    timeout_seconds: float = Field(10.0, gt=0, le=120)
    retry_seconds: float = Field(
        1.0, gt=0, description="pause after the first failure; it doubles up to a minute"
    )
    give_up_after_seconds: float = Field(86_400.0, gt=0, description="in the sandbox's time")

"""A rule that makes calls or pushes go wrong."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from once_sandbox.wire import Text

Kind = Literal[
    "status",
    "html_503",
    "rate_limited",
    "delay",
    "drop",
    "truncate",
    "expired_token",
    "empty_200",
    "not_json",
    "negative_quota",
    "duplicate_records",
    "flat_records",
    "shuffle_records",
]
PUSH_KINDS: frozenset[str] = frozenset({"duplicate_records", "flat_records", "shuffle_records"})
ANSWER_KINDS: frozenset[str] = frozenset({"truncate", "empty_200", "negative_quota", "not_json"})
"""Faults of the answer: the call itself was done."""


class FaultRule(BaseModel):
    """Calls whose method and path match go wrong: a share of them, and at most `count` times."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    kind: Kind
    path: Text = Field(
        "*", max_length=200, description="glob over the path, e.g. /v?/sims/*/topup or /push/usage"
    )
    method: str = Field("*", max_length=10, description="HTTP method, or *")
    share: float = Field(1.0, ge=0, le=1, description="part of the matching calls")
    count: int | None = Field(None, ge=1, description="how often at most; left out: always")
    skip: int = Field(0, ge=0, description="so many matching calls go well first")
    when: Literal["before", "after"] = Field(
        "before", description="after: the call takes effect, then its answer goes wrong"
    )
    status: int = Field(500, ge=100, le=599, description="for kind status")
    body: Text | None = Field(
        None, max_length=100_000, description="for kind status; left out: the usual shape"
    )
    headers: dict[str, str] = Field(default={}, description="for kind status and rate_limited")
    seconds: float = Field(1.0, ge=0, le=600, description="for kind delay, real time")


class ActiveRule(FaultRule):
    """A rule with what became of it."""

    id: int
    hits: int = 0
    seen: int = 0

    @property
    def after(self) -> bool:
        """Whether the call is done before it goes wrong."""
        return self.when == "after" or self.kind in ANSWER_KINDS

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Computed, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from device_service.base import Base
from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7

_SEARCH_TEXT = "lower(name || ' ' || coalesce(iccid, ''))"


class DeviceStatus(StrEnum):
    """Online means heard within the configured time; never_seen, that it has not reported yet."""

    NEVER_SEEN = "never_seen"
    ONLINE = "online"
    OFFLINE = "offline"


def _now() -> datetime:
    return datetime.now(UTC)


class Device(Base):
    """A device of an organisation.

    `version` and `updated_at` follow what people change; `status` and `last_seen` follow what is heard.
    `config` is JSON, not JSONB, which would turn 1e300 into 301 digits and forget the order of names.
    """

    __tablename__ = "t_devices"
    __table_args__ = (
        UniqueConstraint("organization_id", "name", name="uq_t_devices_organization_id_name"),
        UniqueConstraint("organization_id", "iccid", name="uq_t_devices_organization_id_iccid"),
        CheckConstraint("status IN ('never_seen', 'online', 'offline')", name="status"),
        Index("ix_t_devices_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_t_devices_tags", "tags", postgresql_using="gin"),
        Index(
            "ix_t_devices_search",
            "organization_id",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
        # Presence rewrites a row each second: room on its page keeps those updates out of the indexes.
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    organization_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    config: Mapped[dict[str, Any]] = mapped_column(JSON, server_default=text("'{}'"))
    iccid: Mapped[str | None] = mapped_column(String(20))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    status: Mapped[str] = mapped_column(
        String(10), default=DeviceStatus.NEVER_SEEN, server_default=text("'never_seen'")
    )
    last_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    search_text: Mapped[str] = mapped_column(Text, Computed(_SEARCH_TEXT, persisted=True), deferred=True)

    def apply(self, changes: dict[str, Any]) -> bool:
        """Take over new values; a new version only where something really differs."""
        differing = {
            name: value for name, value in changes.items() if not _is_same(getattr(self, name), value)
        }
        for name, value in differing.items():
            setattr(self, name, value)
        if differing:
            self.version += 1
            self.updated_at = _now()
        return bool(differing)


def _is_same(present: Any, new: Any) -> bool:
    """Equality that tells 1, 1.0 and true apart, which Python's own does not."""
    return json.dumps(present) == json.dumps(new)

"""Revoked tokens and sessions: the truth behind every denylist."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Text, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from signing_service.base import Base


class RevokedToken(Base):
    """One `jti` or `sid` that is refused until `expires_at`, when its last token has expired anyway."""

    __tablename__ = "t_blacklist_tokens"
    __table_args__ = (CheckConstraint("kind IN ('jti', 'sid')", name="kind"),)

    identifier: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    user_id: Mapped[UUID] = mapped_column(Uuid)
    reason: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now(), index=True)

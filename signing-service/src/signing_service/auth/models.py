"""Refresh tokens: each login starts a family (the session, `sid`), each use replaces one by the next."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from signing_service.base import Base


class RefreshToken(Base):
    """One refresh token, as its SHA-256. `used_at` marks it as replaced: each live session has one unused."""

    __tablename__ = "t_refresh_tokens"
    __table_args__ = (
        Index("ix_t_refresh_tokens_session_id", "session_id"),
        Index("ix_t_refresh_tokens_live", "user_id", "id", postgresql_where=text("used_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    session_id: Mapped[UUID] = mapped_column(Uuid)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("t_users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

"""Organisations: the owners of everything."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from signing_service.base import Base


class Organization(Base):
    """A company or a team."""

    __tablename__ = "t_organizations"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

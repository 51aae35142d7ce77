"""The table `sim_releases`: SIMs that an organisation gave back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from sim_service.platform.database import Base


class SimRelease(Base):
    """A SIM that was given back, as its organisation knew it; `released_by` None: a rule of ours."""

    __tablename__ = "sim_releases"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    iccid: Mapped[str] = mapped_column(String(19))
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    label: Mapped[str] = mapped_column(String(255))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    released_by: Mapped[UUID | None] = mapped_column(Uuid)
    released_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_sim_releases_owner", "organization_id", "id"),
        Index("ix_sim_releases_iccid", "iccid", "released_at"),
    )

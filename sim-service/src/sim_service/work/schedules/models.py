"""The table `job_schedules`: what people changed about schedules."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Float, String, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.database import Base


class JobSchedule(Base):
    """What the platform administrator changed about a schedule; None: as the settings say."""

    __tablename__ = "job_schedules"

    kind: Mapped[str] = mapped_column(String(30), primary_key=True)
    paused: Mapped[bool] = mapped_column(Boolean, default=False)
    every_seconds: Mapped[float | None] = mapped_column(Float)
    changed_by: Mapped[UUID | None] = mapped_column(Uuid)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    def change(self, values: Mapping[str, Any], changed_by: UUID) -> None:
        if values.get("paused") is not None:
            self.paused = bool(values["paused"])
        self.every_seconds = values.get("every_seconds", self.every_seconds)
        self.changed_by, self.changed_at = changed_by, datetime.now(UTC)

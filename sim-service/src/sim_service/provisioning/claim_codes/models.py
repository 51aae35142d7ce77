"""The table `claim_codes`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, String, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from fleet_kit.ids import uuid7
from sim_service.platform.database import Base


class ClaimCode(Base):
    """A code for these SIMs, known by its hash only. `organization_id`: who used it, and `used_by`: the user.

    A code that is taken back expires at that moment.
    """

    __tablename__ = "claim_codes"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid7)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    iccids: Mapped[list[str]] = mapped_column(ARRAY(String(19)))
    note: Mapped[str] = mapped_column(String(200))
    created_by: Mapped[UUID] = mapped_column(Uuid)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    used_by: Mapped[UUID | None] = mapped_column(Uuid)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def use(self, organization_id: UUID, user_id: UUID, now: datetime) -> bool:
        """Use it up for an organisation; False if it was used or has expired."""
        if self.used_at is not None or self.expires_at <= now:
            return False
        self.organization_id, self.used_by, self.used_at = organization_id, user_id, now
        return True

    def revoke(self, now: datetime) -> None:
        self.expires_at = min(self.expires_at, now)

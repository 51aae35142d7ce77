"""The table `sim_quotas`: what is left for each SIM."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, SmallInteger, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.carrier.facts import CarrierQuota
from sim_service.database import Base

Volume = Numeric(26, 9)
"""Megabytes or messages; a byte is about 0.000001 MB, so nine decimals keep every byte."""


_FACTS = ("remaining", "total", "threshold_percent", "last_added", "expires_at", "changed_at", "state")


class SimQuota(Base):
    """One quota of one claimed SIM."""

    __tablename__ = "sim_quotas"

    iccid: Mapped[str] = mapped_column(ForeignKey("sims.iccid", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    remaining: Mapped[Decimal] = mapped_column(Volume)
    total: Mapped[Decimal] = mapped_column(Volume)
    threshold_percent: Mapped[int] = mapped_column(SmallInteger)
    last_added: Mapped[Decimal | None] = mapped_column(Volume)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(20))
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_sim_quotas_owner_state", "organization_id", "state"),)

    def take_over(self, facts: CarrierQuota) -> None:
        """Take the carrier's facts as of now."""
        for name in _FACTS:
            setattr(self, name, getattr(facts, name))
        self.fetched_at = datetime.now(UTC)

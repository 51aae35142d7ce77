"""The tables `sim_usage` (a row for each SIM and day) and `sim_usage_states` (how far back and how fresh)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, ForeignKey, Index, Integer, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.database import Base


class SimUsage(Base):
    """Usage of one SIM on one UTC day, kept by the organisation that owned it then."""

    __tablename__ = "sim_usage"

    organization_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    iccid: Mapped[str] = mapped_column(String(19), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    data_mo_bytes: Mapped[int] = mapped_column(BigInteger)
    data_mt_bytes: Mapped[int] = mapped_column(BigInteger)
    sms_mo: Mapped[int] = mapped_column(Integer)
    sms_mt: Mapped[int] = mapped_column(Integer)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_sim_usage_owner_day", "organization_id", "day"),)


class SimUsageState(Base):
    """`known_from`: every day since then has been asked for; `fetched_at`: when it was last asked for."""

    __tablename__ = "sim_usage_states"

    iccid: Mapped[str] = mapped_column(ForeignKey("sims.iccid", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    known_from: Mapped[date] = mapped_column(Date)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)

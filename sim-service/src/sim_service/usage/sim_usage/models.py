"""What each SIM used, by day and hour, what its organisation used by day, and how fresh that is."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, ForeignKey, Index, Integer, String, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.database import Base

MEASURED = ("data_mo_bytes", "data_mt_bytes", "sms_mo", "sms_mt")
"""The four volumes of every usage row: bytes and messages, MO sent by the SIM, MT sent to it."""
TELL_ROWS = text("tell_at IS NOT NULL")


class SimUsage(Base):
    """Usage of one SIM on one UTC day, kept by the organisation that owned it then.

    The four plain volumes are what counts. `streamed_*` is what the carrier's streamer reported of the day.
    `carrier_at` is when the carrier's own total of the day was last taken: once that is after the day's
    end, it alone counts; until then the larger of the two does (see docs/usage.md). `tell_at`: when the
    changes by the streamer are due to be published.
    """

    __tablename__ = "sim_usage"

    organization_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    iccid: Mapped[str] = mapped_column(String(19), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    data_mo_bytes: Mapped[int] = mapped_column(BigInteger)
    data_mt_bytes: Mapped[int] = mapped_column(BigInteger)
    sms_mo: Mapped[int] = mapped_column(Integer)
    sms_mt: Mapped[int] = mapped_column(Integer)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    streamed_data_mo_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    streamed_data_mt_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    streamed_sms_mo: Mapped[int] = mapped_column(Integer, server_default="0")
    streamed_sms_mt: Mapped[int] = mapped_column(Integer, server_default="0")
    carrier_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tell_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_sim_usage_owner_day", "organization_id", "day"),
        Index("ix_sim_usage_tell_at_by_owner", "organization_id", "tell_at", postgresql_where=TELL_ROWS),
        {"postgresql_partition_by": "RANGE (day)"},
    )


class SimUsageHour(Base):
    """Usage of one SIM in one hour, as far as the carrier's streamer reported it."""

    __tablename__ = "sim_usage_hours"

    organization_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    iccid: Mapped[str] = mapped_column(String(19), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    data_mo_bytes: Mapped[int] = mapped_column(BigInteger)
    data_mt_bytes: Mapped[int] = mapped_column(BigInteger)
    sms_mo: Mapped[int] = mapped_column(Integer)
    sms_mt: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        Index("ix_sim_usage_hours_owner_hour", "organization_id", "hour"),
        {"postgresql_partition_by": "RANGE (hour)"},
    )


class OrganizationUsage(Base):
    """The sum of `sim_usage` for one organisation and day; the database keeps it with every write."""

    __tablename__ = "organization_usage"

    organization_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    data_mo_bytes: Mapped[int] = mapped_column(BigInteger)
    data_mt_bytes: Mapped[int] = mapped_column(BigInteger)
    sms_mo: Mapped[int] = mapped_column(BigInteger)
    sms_mt: Mapped[int] = mapped_column(BigInteger)


class SimUsageState(Base):
    """`known_from`: every day since then has been asked for; `fetched_at`: when it was last asked for."""

    __tablename__ = "sim_usage_states"

    iccid: Mapped[str] = mapped_column(ForeignKey("sims.iccid", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    known_from: Mapped[date] = mapped_column(Date)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_sim_usage_states_owner_fetched", "organization_id", "fetched_at"),)


def measured(row: SimUsage) -> tuple[int, ...]:
    return tuple(getattr(row, name) for name in MEASURED)

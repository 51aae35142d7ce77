"""Usage records that were pushed, each once, and records that could not be read."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, Index, Integer, String, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.database import Base


class StreamRecord(Base):
    """A usage record by the carrier's id, in the month of its end: what makes a second delivery a duplicate.

    `organization_id` None: nobody owned the SIM when it came; it is given to who claims the SIM.
    """

    __tablename__ = "stream_records"

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    iccid: Mapped[str] = mapped_column(String(19))
    hour: Mapped[datetime] = mapped_column(UtcDateTime)
    data_mo_bytes: Mapped[int] = mapped_column(BigInteger)
    data_mt_bytes: Mapped[int] = mapped_column(BigInteger)
    sms_mo: Mapped[int] = mapped_column(Integer)
    sms_mt: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        Index("ix_stream_records_unclaimed", "iccid", postgresql_where=text("organization_id IS NULL")),
        {"postgresql_partition_by": "RANGE (month)"},
    )


class RejectedRecord(Base):
    """A pushed record that could not be read; its id is made from its content: redelivered it stays one."""

    __tablename__ = "stream_rejected"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    iccid: Mapped[str | None] = mapped_column(String(19))
    field: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
    record: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_stream_rejected_created", "created_at", "id"),
        Index("ix_stream_rejected_owner", "organization_id", "created_at", "id"),
    )

"""The table `device_usage`: bytes that a device reported for one hour."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.database import Base


class DeviceUsage(Base):
    """The whole volume of a device's hour as far as it was reported; it only grows.

    `iccid` is the SIM that was in the device when that hour was first reported.
    """

    __tablename__ = "device_usage"

    organization_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    device_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    iccid: Mapped[str | None] = mapped_column(String(19))
    data_bytes: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        Index("ix_device_usage_owner_iccid", "organization_id", "iccid", "hour"),
        {"postgresql_partition_by": "RANGE (hour)"},
    )

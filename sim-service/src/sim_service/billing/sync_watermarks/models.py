"""The table `carrier_looks`: when each list of the carrier's account was last read."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.database import Base


class CarrierList(StrEnum):
    ORDERS = "orders"
    PRODUCTS = "products"


class SyncWatermark(Base):
    __tablename__ = "carrier_looks"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    read_at: Mapped[datetime] = mapped_column("looked_at", UtcDateTime)

"""The table `carrier_looks`: when each list of the carrier's account was last read."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.database import Base


class LookedAt(StrEnum):
    """A list of the account."""

    ORDERS = "orders"
    PRODUCTS = "products"


class CarrierLook(Base):
    """The newest look at one list."""

    __tablename__ = "carrier_looks"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    looked_at: Mapped[datetime] = mapped_column(UtcDateTime)

"""The table `products`: what the carrier offers."""

from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Integer, String, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.carrier.models import CarrierProduct
from sim_service.platform.amounts import Amount
from sim_service.platform.database import Base


class Product(Base):
    """A product; prices are net. `withdrawn_at`: the carrier no longer offers it."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    material: Mapped[str | None] = mapped_column(Text)
    package_size: Mapped[int | None]
    smallest_quantity: Mapped[int | None]
    largest_quantity: Mapped[int | None]
    price: Mapped[Decimal | None] = mapped_column(Amount)
    currency: Mapped[str | None] = mapped_column(String(3))
    months: Mapped[int | None]
    charges: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())

    def update_from_carrier(self, facts: CarrierProduct) -> None:
        for name, value in asdict(facts).items():
            setattr(self, name, value)
        self.charges, self.withdrawn_at = list(facts.charges), None

    def withdraw(self) -> None:
        self.withdrawn_at = self.withdrawn_at or datetime.now(UTC)
